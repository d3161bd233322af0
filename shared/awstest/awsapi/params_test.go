package awsapi

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

func queryCall(form string) *Call {
	v, err := url.ParseQuery(form)
	if err != nil {
		panic(err) // of the test itself
	}
	return &Call{Service: "elasticloadbalancing", Operation: "ModifyRule", Form: v}
}

func TestListsOfAQueryAreReadInTheOrderOfTheirNumbers(t *testing.T) {
	t.Parallel()
	p := queryCall("A.member.10=j&A.member.2=b&A.member.1=a&A.member.x=no&B.member.1.Type=t").Params()
	if got := p.List("A"); !reflect.DeepEqual(got, []string{"a", "b", "j"}) {
		t.Errorf("listed %v", got)
	}
	if got := p.Members("B"); !reflect.DeepEqual(got, []string{"B.member.1"}) {
		t.Errorf("members %v", got)
	}
}

func TestParameterThatNobodyReadIsRefusedByName(t *testing.T) {
	t.Parallel()
	p := queryCall("RuleArn=a&Actions.member.1.Type=forward&Tags.member.1.Key=k&Conditions=").Params()
	p.String("RuleArn")
	var e *Error
	if err := p.Done(); !errors.As(err, &e) || e.Status != http.StatusNotImplemented || !strings.Contains(e.Message,
		"Actions.member.1.Type, Tags.member.1.Key of") {
		t.Fatalf("got %v", err)
	}
	if p.Has("Actions.member.1.Type") && p.Has("Tags.member.1.Key") {
		if err := p.Done(); err != nil {
			t.Errorf("all were read, and an empty list is nothing: %v", err)
		}
	}
}

func TestNumbersAndTruthValuesOfAQueryAreNilWhenAbsent(t *testing.T) {
	t.Parallel()
	p := queryCall("Yes=True&No=false&N=42&Text=x").Params()
	if b := p.Bool("Yes"); b == nil || !*b {
		t.Errorf("Yes is %v", b)
	}
	if b := p.Bool("No"); b == nil || *b {
		t.Errorf("No is %v", b)
	}
	if n := p.Int("N"); n == nil || *n != 42 {
		t.Errorf("N is %v", n)
	}
	if p.Bool("Absent") != nil || p.Int("Absent") != nil || p.Int("Text") != nil {
		t.Error("something absent has a value")
	}
}

func TestQueryStringOfARESTRequestMayHoldOnlyWhatIsHonoured(t *testing.T) {
	t.Parallel()
	c := &Call{Service: "lambda", Operation: "Invoke", HTTP: httptest.NewRequest(http.MethodPost,
		"/?Qualifier=live&Marker=x&After=y", nil)}
	if v, err := c.Query("Qualifier", "Marker", "After"); err != nil || v.Get("Qualifier") != "live" {
		t.Errorf("%v %v", v, err)
	}
	if _, err := c.Query("Qualifier"); err == nil || !strings.Contains(err.Error(), "After, Marker of lambda:Invoke") {
		t.Errorf("got %v", err)
	}
}
