package lambda

import (
	"regexp"
	"slices"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/region"
	"alboidc.internal/shared/strictjson"
)

// Settings are the provider's part of a client's configuration.
type Settings struct {
	// FunctionARN is the function with an alias or a version of it.
	FunctionARN string `json:"functionArn"`
	// Capabilities are what the function answers to capabilities.
	Capabilities Capabilities `json:"capabilities"`
}

// arnPattern is the form of a function's ARN with a version or an alias (Lambda API reference, Invoke). $LATEST is no
// version: whoever saves code would change what rotations do.
var arnPattern = regexp.MustCompile(
	`^arn:aws(-[a-z]+){0,2}:lambda:` + region.Form + `:\d{12}:function:[A-Za-z0-9_-]{1,64}:[A-Za-z0-9_-]{1,128}$`)

// region is where the function is.
func (s Settings) region() string { return config.RegionOf(s.FunctionARN) }

// check fills in the defaults and reports what is wrong.
func (s *Settings) check(ps *strictjson.Problems) {
	if !arnPattern.MatchString(s.FunctionARN) {
		ps.Add(idp.Setting("functionArn"), "must be the ARN of a Lambda function with an alias or a version, "+
			"arn:aws:lambda:REGION:ACCOUNT:function:NAME:ALIAS: publish a version, and let an alias point to it")
	}
	s.Capabilities.check(ps)
}

// maxActivation is the longest delay that the trials of one call can go past.
const maxActivation = 120

var codePattern = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,40}$`)

// check fills in the defaults and reports what is wrong, and what makes no sense for the model.
func (c *Capabilities) check(ps *strictjson.Problems) {
	path := func(field string) string { return idp.Setting("capabilities." + field) }
	named, slots, single := c.of().HasIDs(), c.of().ReusesKept(), c.of().KeepsOne()
	if !named && !slots && !single {
		ps.Add(path("model"), "must be one of %s, %s, %s", idp.NamedSet, idp.CurrentPrevious, idp.SingleSlot)
		return
	}
	only := func(field string, given, fits bool) {
		if given && !fits {
			ps.Add(path(field), "must be left out for %s", c.Model)
		}
	}
	only("maxSecrets", c.MaxSecrets != 0, named)
	only("keepsToken", c.KeepsToken, named)
	only("canDisable", c.CanDisable, named)
	only("showsValues", c.ShowsValues, slots)
	only("tellsEnd", c.TellsEnd, !single)
	switch {
	case c.MaxSecrets < 0 || c.MaxSecrets == 1:
		ps.Add(path("maxSecrets"), "must be 2 or more, or left out if there is no small limit; a client with room for "+
			"one secret is %s", idp.SingleSlot)
	case named && !c.TakesValue && !c.KeepsToken:
		ps.Add(path("keepsToken"), "or takesValue must be true: otherwise nobody can tell what a create that was cut "+
			"off has left behind")
	case slots && !c.TakesValue && !c.ShowsValues:
		ps.Add(path("showsValues"), "or takesValue must be true: otherwise nothing can end the previous secret")
	case single && !c.TakesValue:
		ps.Add(path("takesValue"), "must be true for %s: a value that only the provider knows could not be stored "+
			"before it ends the one in use", idp.SingleSlot)
	}
	if c.ActivationSeconds < 0 || c.ActivationSeconds > maxActivation {
		ps.Add(path("activationSeconds"), "must be from 0 to %d", maxActivation)
	}
	c.Probe.check(ps, path)
}

func (p *Probe) check(ps *strictjson.Problems, path func(string) string) {
	if p.Grant == "" {
		p.Grant = idp.AuthorizationCode
	}
	if p.Grant != idp.AuthorizationCode && p.Grant != idp.ClientCredentials {
		ps.Add(path("probe.grant"), "must be %s or %s", idp.AuthorizationCode, idp.ClientCredentials)
	}
	if p.Scope != "" && p.Grant == idp.AuthorizationCode {
		ps.Add(path("probe.scope"), "must be left out for %s", idp.AuthorizationCode)
	}
	if len(p.Accepted) == 0 && p.Grant == idp.AuthorizationCode {
		p.Accepted = []string{"invalid_grant"}
	}
	if len(p.Rejected) == 0 {
		p.Rejected = []string{"invalid_client"}
	}
	for field, codes := range map[string][]string{"probe.accepted": p.Accepted, "probe.rejected": p.Rejected} {
		if slices.ContainsFunc(codes, func(c string) bool { return !codePattern.MatchString(c) }) {
			ps.Add(path(field), "must hold error codes of the token endpoint, such as invalid_grant")
		}
	}
	if slices.ContainsFunc(p.Accepted, func(c string) bool { return slices.Contains(p.Rejected, c) }) {
		ps.Add(path("probe.rejected"),
			"must not hold a code that is among accepted: one that both a right and a wrong "+
				"secret get belongs in neither")
	}
}
