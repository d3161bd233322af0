package alb

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// The SDK drops every element of an answer that it does not know, and a write replaces an action list whole: an element
// that AWS has added since this SDK was made would be lost. So answers are read twice, by the SDK and here.

// unknownElements are the names of elements of actions that the SDK has no field for, by the ARN of their listener or
// rule.
type unknownElements map[string][]string

// collect notes the unknown elements of an answer of DescribeListeners or DescribeRules.
func (u unknownElements) collect(o *elasticloadbalancingv2.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		// after the SDK's own deserializer, so nearer to the wire: it sees the body first
		return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("UnknownElements", u.look), middleware.After)
	})
}

func (u unknownElements) look(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	middleware.DeserializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleDeserialize(ctx, in)
	response, ok := out.RawResponse.(*smithyhttp.Response)
	if err != nil || !ok {
		return out, metadata, err
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return out, metadata, fmt.Errorf("reading the answer: %w", err)
	}
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	_ = u.read(xml.NewDecoder(bytes.NewReader(body))) // the SDK reports what is no XML
	return out, metadata, nil
}

// element is any XML element.
type element struct {
	XMLName  xml.Name
	Children []element `xml:",any"`
}

// read looks, up to the end of an element, for listeners and rules, which have an ARN and a list of actions. It keeps
// nothing else: an answer may have hundreds of rules.
func (u unknownElements) read(d *xml.Decoder) error {
	arn, names := "", []string(nil)
	for {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "ListenerArn", "RuleArn":
				err = d.DecodeElement(&arn, &t)
			case "Actions", "DefaultActions":
				var list element
				err = d.DecodeElement(&list, &t)
				names = findUnknown(list, reflect.TypeFor[[]types.Action]())
			default:
				err = u.read(d)
			}
			if err != nil {
				return err
			}
		case xml.EndElement:
			if len(names) > 0 && arn != "" {
				slices.Sort(names)
				u[arn] = slices.Compact(names)
			}
			return nil
		}
	}
}

// findUnknown returns the names of the outermost elements below e for which t, the SDK's type of e, has no place.
func findUnknown(e element, t reflect.Type) []string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var out []string
	for _, c := range e.Children {
		inner, known := findMember(t, c.XMLName.Local)
		if !known {
			out = append(out, c.XMLName.Local)
			continue
		}
		out = append(out, findUnknown(c, inner)...)
	}
	return out
}

// entry is an element of a map.
type entry struct{ Key, Value string }

// findMember returns the type of a child element of a value of type t, and whether there is one. The Query protocol
// calls the elements of a list "member", and those of a map "entry", with a key and a value (smithy.io, "AWS query
// protocol").
func findMember(t reflect.Type, name string) (inner reflect.Type, known bool) {
	switch t.Kind() {
	case reflect.Struct:
		f, ok := t.FieldByNameFunc(func(field string) bool { return strings.EqualFold(field, name) })
		return f.Type, ok && f.IsExported()
	case reflect.Slice:
		return t.Elem(), name == "member"
	case reflect.Map:
		return reflect.TypeFor[entry](), name == "entry"
	default:
		return nil, false
	}
}

// findUnaccepted returns what a write would damage without permission: elements that the SDK does not know, and types
// of actions of which it may not have read everything.
func (r Registration) findUnaccepted(unknown []string, actions []types.Action) (elements, kinds []string) {
	for _, name := range unknown {
		if !slices.Contains(r.AcceptElements, name) {
			elements = append(elements, name)
		}
	}
	for _, a := range actions {
		if !slices.Contains(a.Type.Values(), a.Type) && !slices.Contains(kinds, string(a.Type)) {
			kinds = append(kinds, string(a.Type))
		}
	}
	return elements, kinds
}

// describeDamage says what a write would damage, and what to do; "" if nothing.
func (r Registration) describeDamage(unknown []string, actions []types.Action) string {
	elements, kinds := r.findUnaccepted(unknown, actions)
	var out []string
	if len(elements) > 0 {
		list := strings.Join(elements, ", ")
		out = append(out,
			fmt.Sprintf("has in its actions what this release does not know and would drop: %s; deploy a newer "+
				"release, or, if it may be dropped, set acceptElements: [%s]", list, list))
	}
	if len(kinds) > 0 {
		out = append(out,
			fmt.Sprintf("has an action of type %q, which this release does not know and would damage: deploy a "+
				"newer release, or give the client's logins a listener or rule without it", kinds))
	}
	return strings.Join(out, ", and ")
}
