package config_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

var plainScalar = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_:/.-]*$`)

// asYAML writes a JSON document as YAML, members in their order, so that an example in both forms cannot drift apart.
func asYAML(document string) string {
	d := json.NewDecoder(strings.NewReader(document))
	d.UseNumber()
	lines, _ := yamlLines(d)
	return strings.Join(lines, "\n")
}

// yamlLines is the next value of d; block says that it is an object or a list, which goes below its key.
func yamlLines(d *json.Decoder) (lines []string, block bool) {
	token, _ := d.Token()
	switch v := token.(type) {
	case json.Delim:
		for d.More() {
			prefix, indent := "- ", "  "
			if v == '{' {
				key, _ := d.Token()
				prefix = fmt.Sprintf("%s: ", key)
			}
			sub, nested := yamlLines(d)
			if v == '{' && nested {
				lines = append(lines, strings.TrimSuffix(prefix, " "))
			} else {
				lines = append(lines, prefix+sub[0])
				sub = sub[1:]
			}
			for _, l := range sub {
				lines = append(lines, indent+l)
			}
		}
		_, _ = d.Token()
		return lines, true
	case string:
		if plainScalar.MatchString(v) {
			return []string{v}, false
		}
		quoted, _ := json.Marshal(v)
		return []string{string(quoted)}, false
	default:
		return []string{fmt.Sprint(v)}, false
	}
}
