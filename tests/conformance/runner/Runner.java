import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import software.amazon.event.ruler.JsonRuleCompiler;
import software.amazon.event.ruler.Machine;
import software.amazon.event.ruler.Patterns;
import software.amazon.event.ruler.Ruler;

/**
 * Asks the reference. Each line of input is {"pattern": text, "events": [text, ...]}; each line of output
 * {"refusal": reason or null, "isolated": [...], "whole": [...]} with true, false or an error's text per event.
 * "isolated" compiles every alternative of a pattern ($or) into a machine of its own, "whole" all into one.
 */
public class Runner {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(final String[] arguments) throws Exception {
        final BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        final BufferedWriter out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.write(JSON.writeValueAsString(answer(JSON.readTree(line))));
            out.newLine();
            if (!in.ready()) {
                out.flush();
            }
        }
        out.flush();
    }

    private static ObjectNode answer(final JsonNode question) {
        final String pattern = question.get("pattern").textValue();
        final ObjectNode answer = JSON.createObjectNode();
        final String refusal = JsonRuleCompiler.check(pattern);
        answer.put("refusal", refusal);
        final ArrayNode isolated = answer.putArray("isolated");
        final ArrayNode whole = answer.putArray("whole");
        if (refusal != null) {
            return answer;
        }
        final List<Machine> machines = new ArrayList<>();
        String broken = null;
        try {
            for (Map<String, List<Patterns>> alternative : JsonRuleCompiler.compile(pattern)) {
                final Machine machine = new Machine();
                machine.addPatternRule("rule", alternative);
                machines.add(machine);
            }
        } catch (Exception | StackOverflowError | AssertionError e) {
            broken = e.toString();
        }
        for (JsonNode event : question.get("events")) {
            if (broken == null) {
                try {
                    boolean matched = false;
                    for (Machine machine : machines) {
                        matched |= !machine.rulesForJSONEvent(event.textValue()).isEmpty();
                    }
                    isolated.add(matched);
                } catch (Exception | StackOverflowError e) {
                    isolated.add(e.toString());
                }
            } else {
                isolated.add(broken);
            }
            try {
                whole.add(Ruler.matchesRule(event.textValue(), pattern));
            } catch (Exception | StackOverflowError e) {
                whole.add(e.toString());
            }
        }
        return answer;
    }
}
