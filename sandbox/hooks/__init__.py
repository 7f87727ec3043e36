"""What the sandbox adds to MiniStack, inside its process: the behaviour of AWS that the emulator lacks.

Only `sandbox.launch` imports the modules in here, on the emulator's interpreter (`transform`, `records` and `faults`
do without it). They replace functions of one pinned version of MiniStack (see emulator-requirements.txt); a test starts
the emulator and fails when one of them is gone.
"""
