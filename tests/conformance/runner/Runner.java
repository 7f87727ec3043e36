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
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import software.amazon.event.ruler.JsonRuleCompiler;
import software.amazon.event.ruler.Machine;
import software.amazon.event.ruler.MachineComplexityEvaluator;
import software.amazon.event.ruler.Patterns;
import software.amazon.event.ruler.Ruler;

/**
 * Asks the reference. Each line of input is {"pattern": text, "events": [text, ...], "split": bool}; each line of output
 * {"refusal": reason or null, "complexity": number, "isolated": [...], "whole": [...], "split": [...]} with true, false
 * or an error's text per event. "whole" compiles the pattern into one machine, as Ruler.matchesRule does, "isolated"
 * every alternative of it ($or) into a machine of its own, "split" (when asked for, and not too many) every choice of
 * one condition per field.
 */
public class Runner {
    private static final int MAX_COMPLEXITY = 11;
    private static final int MAX_CHOICES = 1000;
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
        if (refusal != null) {
            return answer;
        }
        final JsonNode events = question.get("events");
        try {
            final List<Map<String, List<Patterns>>> alternatives = JsonRuleCompiler.compile(pattern);
            final Machine machine = new Machine();
            machine.addRule("rule", pattern);
            if (pattern.contains("wildcard")) {
                answer.put("complexity", machine.evaluateComplexity(new MachineComplexityEvaluator(MAX_COMPLEXITY)));
            }
            match(machines(alternatives), events, answer.putArray("isolated"));
            if (question.path("split").asBoolean()) {
                final List<Map<String, List<Patterns>>> choices = split(alternatives);
                if (choices != null) {
                    match(machines(choices), events, answer.putArray("split"));
                }
            }
            match(List.of(machine), events, answer.putArray("whole"));
        } catch (Exception | StackOverflowError | AssertionError e) {
            answer.put("broken", e.toString());
        }
        return answer;
    }

    private static List<Machine> machines(final List<Map<String, List<Patterns>>> alternatives) {
        final List<Machine> machines = new ArrayList<>();
        for (Map<String, List<Patterns>> alternative : alternatives) {
            final Machine machine = new Machine();
            machine.addPatternRule("rule", alternative);
            machines.add(machine);
        }
        return machines;
    }

    private static void match(final List<Machine> machines, final JsonNode events, final ArrayNode results) {
        for (JsonNode event : events) {
            try {
                boolean matched = false;
                for (Machine machine : machines) {
                    matched |= !machine.rulesForJSONEvent(event.textValue()).isEmpty();
                }
                results.add(matched);
            } catch (Exception | StackOverflowError e) {
                results.add(e.toString());
            }
        }
    }

    private static List<Map<String, List<Patterns>>> split(final List<Map<String, List<Patterns>>> alternatives) {
        final List<Map<String, List<Patterns>>> choices = new ArrayList<>();
        for (Map<String, List<Patterns>> alternative : alternatives) {
            List<Map<String, List<Patterns>>> some = List.of(new HashMap<>());
            for (Map.Entry<String, List<Patterns>> field : alternative.entrySet()) {
                final List<Map<String, List<Patterns>>> more = new ArrayList<>();
                for (Map<String, List<Patterns>> choice : some) {
                    for (Patterns condition : field.getValue()) {
                        final Map<String, List<Patterns>> longer = new HashMap<>(choice);
                        longer.put(field.getKey(), List.of(condition));
                        more.add(longer);
                    }
                }
                some = more;
                if (choices.size() + some.size() > MAX_CHOICES) {
                    return null;
                }
            }
            choices.addAll(some);
        }
        return choices;
    }
}
