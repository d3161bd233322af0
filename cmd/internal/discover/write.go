package discover

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/config"
)

// File writes a clients.yaml: complete but for what is marked TODO.
func File(account, region string, clients []Client) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# yaml-language-server: $schema=../docs/clients.schema.json")
	line("# Found on the load balancers of account %s. Finish what is marked %s, then: rotator check FILE",
		account, todo)
	line("")
	line("stack:")
	line("  account: %q", account)
	line("  region: %s # where the rotation runs", region)
	line("  email:")
	line("    - %s # who is told", todo)
	line("")
	writeRoles(line, account, clients)
	line("clients:")
	for i, c := range clients {
		if i > 0 {
			line("")
		}
		c.write(line, account)
	}
	return b.String()
}

// writeRoles writes a role for each other account with load balancers.
func writeRoles(line func(format string, args ...any), account string, clients []Client) {
	arns := map[string]string{}
	for _, c := range clients {
		for _, arn := range c.LoadBalancers {
			arns[config.AccountOf(arn)] = arn
		}
	}
	delete(arns, account)
	if len(arns) == 0 {
		return
	}
	line("roles: # made by infra/workload-role.yaml in each account: " +
		"docs/deploying.md#load-balancers-in-other-accounts")
	for _, other := range slices.Sorted(maps.Keys(arns)) {
		partition := strings.Split(arns[other], ":")[1]
		line("  %s:", roleOf(other))
		line("    roleArn: arn:%s:iam::%s:role/alb-oidc-rotator-workload", partition, other)
		line("    externalId: alb-oidc-rotator-%s # the parameter ExternalId there", account)
	}
	line("")
}

// roleOf names the role of an account.
func roleOf(account string) string { return "account-" + account }

func (c Client) write(line func(format string, args ...any), account string) {
	for _, t := range c.Targets {
		line("  # %s", t)
	}
	for _, r := range c.Refusals {
		line("  # CANNOT BE ROTATED as it is: %s", r)
	}
	if c.Documented {
		line("  # the provider's discovery document has these endpoints")
	}
	for _, w := range c.Warnings {
		line("  # note: %s", w)
	}
	first := c.Logins[0]
	line("  - name: %s", c.Name)
	line("    issuer: %s", quoted(c.Issuer))
	line("    clientId: %s", quoted(c.ClientID))
	c.writeAliases(line)
	line("    callbackUrl: %s", callback(c.Logins))
	line("    secret:")
	line("      arn: %s # the Secrets Manager secret that holds the client secret; or createSecret: true beside it",
		todo)
	line("    identityProvider:")
	doubt := ""
	if !c.provider.sure {
		doubt = " # " + todo + ": guessed by the form of the token endpoint"
	}
	if c.Provider == "manual" {
		doubt = " # " + todo + ": a person makes the secrets; or lambda, if the provider has an API for them: a " +
			"function of yours speaks to it (docs/identity-providers/lambda.md)"
	}
	line("      type: %s%s", c.Provider, doubt)
	line("      authorizationEndpoint: %s", quoted(first.AuthorizationEndpoint))
	line("      tokenEndpoint: %s", quoted(first.TokenEndpoint))
	if c.authMethod != "" {
		line("      tokenAuthMethod: %s # the only one in the discovery document", c.authMethod)
	}
	if len(c.provider.settings) == 0 {
		line("      settings: {}")
	} else {
		line("      settings: # docs/identity-providers/%s.md", c.Provider)
	}
	for _, s := range c.provider.settings {
		line("        %s", s)
	}
	line("    loadBalancers:")
	for _, arn := range c.LoadBalancers {
		if other := config.AccountOf(arn); other != account {
			line("      - {arn: %q, role: %s}", arn, roleOf(other))
		} else {
			line("      - %s", arn)
		}
	}
	if len(c.Follows) > 0 {
		line("    followers: # controllers own these, and must read AWSCURRENT: docs/infrastructure-as-code.md")
		for _, f := range c.Follows {
			line("      # %s", f)
		}
		line("      maxDelaySeconds: 3600 # %s: how long after AWSCURRENT has moved the last of them uses it", todo)
		line("      controllers: true")
	}
	line("    smokeTests: # better with a login test: docs/client-configuration.md")
	line("      redirect:")
	line("        - url: %s", page(c.Logins))
	line("    schedule:")
	line("      expression: cron(0 3 1 1/3 ? *) # each quarter, not at once as a rate: start the first rotation by " +
		"hand before")
}

// writeAliases writes the other names of the provider.
func (c Client) writeAliases(line func(format string, args ...any)) {
	seen := map[string]bool{name(c.Logins[0]): true}
	for _, l := range c.Logins {
		if seen[name(l)] {
			continue
		}
		if len(seen) == 1 {
			line("    aliases: # other names of the same provider: is that so?")
		}
		seen[name(l)] = true
		line("      - issuer: %s", quoted(l.Issuer))
		line("        authorizationEndpoint: %s", quoted(l.AuthorizationEndpoint))
		line("        tokenEndpoint: %s", quoted(l.TokenEndpoint))
		if l.UserInfoEndpoint != "" {
			line("        userInfoEndpoint: %s", quoted(l.UserInfoEndpoint))
		}
	}
}

// quoted is a text from a load balancer, which may hold anything.
func quoted(text string) string {
	for _, r := range text {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/:?&=%+", r) {
			return fmt.Sprintf("%q", text)
		}
	}
	if strings.Contains(text, "://") {
		return text
	}
	return fmt.Sprintf("%q", text) // a client id may look like a number
}

// host is the first that a rule names.
func host(logins []alb.Login) string {
	for _, l := range logins {
		if len(l.Hosts) > 0 {
			return l.Hosts[0]
		}
	}
	return ""
}

func callback(logins []alb.Login) string {
	if h := host(logins); h != "" {
		return "https://" + h + "/oauth2/idpresponse"
	}
	return todo + " # https://HOST/oauth2/idpresponse, as it is registered at the provider"
}

func page(logins []alb.Login) string {
	if h := host(logins); h != "" {
		return "https://" + h + "/"
	}
	return todo + " # a page that asks for a login"
}
