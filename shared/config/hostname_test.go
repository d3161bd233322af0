package config

import (
	"strings"
	"testing"

	"alboidc.internal/shared/strictjson"
)

func TestTheASCIIFormOfAHostName(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"login.example.com":      "login.example.com",
		"login.example.com.":     "login.example.com.",
		"192.0.2.1":              "192.0.2.1",
		"bücher.example":         "xn--bcher-kva.example",
		"BÜCHER.example":         "xn--bcher-kva.example",
		"münchen.bücher.example": "xn--mnchen-3ya.xn--bcher-kva.example",
		"他们为什么不说中文.example":      "xn--ihqwcrb4cv8a8dqg056pqjye.example", // RFC 3492, section 7.1 (B)
		"почемужеонинеговорятпорусски.example": "xn--b1abfaaepdrnnbgefbadotcwatmq2g4l.example",
		"3年b組金八先生.example":                     "xn--3b-ww4c5e180e575a65lsy2b.example",
		"login。example。com":                    "login.example.com",
		"":                                     "",
	} {
		if got := ASCIIHost(host); got != want {
			t.Errorf("%s is %s, not %s", host, got, want)
		}
	}
}

func TestHostNamesThatAreNotASCIIAreRefused(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"https://bücher.example/", "https://b%C3%BCcher.example:8443/x"} {
		var ps strictjson.Problems
		CheckURL(&ps, "smokeTests.login[0].url", url)
		if err := ps.Err("x"); err == nil || !strings.Contains(err.Error(),
			"smokeTests.login[0].url: must have a host name of ASCII characters: write xn--bcher-kva.example instead") {
			t.Errorf("%s: %v", url, err)
		}
	}
	var ps strictjson.Problems
	checkAddresses(&ps, "connectTo", []string{"bücher.example:443", "192.0.2.1:443", "[2001:db8::1]:443"})
	if err := ps.Err("x"); err == nil || !strings.Contains(err.Error(), "connectTo[0]: must have a host name") ||
		len(ps) != 1 {
		t.Errorf("%v", err)
	}
}
