package clientsfile

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/region"
	"alboidc.internal/shared/strictjson"
)

// secretARN is what the ARN of a secret looks like.
var secretARN = regexp.MustCompile(`^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:.+$`)

// named is an ARN in a client's entry, and the path of its field.
type named struct{ path, arn string }

// findSettingsSecrets finds the secrets that a provider's settings name, whichever provider it is.
func (c Client) findSettingsSecrets() []named {
	var settings any
	if err := json.Unmarshal(c.IdentityProvider.Settings, &settings); err != nil {
		return nil // there are none; what is wrong with them is told elsewhere
	}
	var found []named
	var walk func(string, any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case string:
			if secretARN.MatchString(v) {
				found = append(found, named{path, v})
			}
		case []any:
			for i, x := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), x)
			}
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(v)) {
				walk(path+"."+showName(k), v[k])
			}
		}
	}
	walk("identityProvider.settings", settings)
	return found
}

// AdminSecrets are the ARNs of the secrets that the provider's settings name.
func (c Client) AdminSecrets() []string {
	var list []string
	for _, s := range c.findSettingsSecrets() {
		list = append(list, s.arn)
	}
	return list
}

// SigningKey is a KMS key by whose signatures the provider knows the rotator's own client.
type SigningKey struct {
	// Field is that of the settings which names it.
	Field, KeyARN string
	// ClientID is the rotator's own; KeyID and Algorithm are "" where the settings leave them out.
	ClientID, KeyID, Algorithm string
	// SHA256 is the fingerprint of the certificate that is registered instead of the key itself.
	SHA256 string
}

// SigningKeys are those that the provider's settings name, whichever provider it is.
func (c Client) SigningKeys() []SigningKey {
	var settings map[string]json.RawMessage
	if json.Unmarshal(c.IdentityProvider.Settings, &settings) != nil {
		return nil // told elsewhere
	}
	var list []SigningKey
	for _, field := range slices.Sorted(maps.Keys(settings)) {
		k := SigningKey{}
		if json.Unmarshal(settings[field], &k) == nil && k.KeyARN != "" {
			k.Field = "identityProvider.settings." + showName(field) + ".keyArn"
			list = append(list, k)
		}
	}
	return list
}

// SigningKeyARNs are the ARNs of those.
func (c Client) SigningKeyARNs() []string {
	var list []string
	for _, k := range c.SigningKeys() {
		list = append(list, k.KeyARN)
	}
	return list
}

// findUserSecrets returns the secrets of the synthetic users.
func (c Client) findUserSecrets() []named {
	var list []named
	for i, t := range c.SmokeTests.Login {
		list = append(list, named{fmt.Sprintf("smokeTests.login[%d].userSecretArn", i), t.UserSecretARN})
	}
	return list
}

// UserSecrets are the ARNs of the secrets of the synthetic users.
func (c Client) UserSecrets() []string {
	var list []string
	for _, t := range c.SmokeTests.Login {
		list = append(list, t.UserSecretARN)
	}
	return list
}

// UserPoolID is the Amazon Cognito user pool that the provider's settings name, "" if they name none.
func (c Client) UserPoolID() string {
	var settings struct{ UserPoolID string }
	_ = json.Unmarshal(c.IdentityProvider.Settings, &settings) // what is wrong with them is told elsewhere
	return settings.UserPoolID
}

// FunctionARN is the Lambda function that speaks to the identity provider, "" if the settings name none.
func (c Client) FunctionARN() string {
	var settings struct{ FunctionARN string }
	_ = json.Unmarshal(c.IdentityProvider.Settings, &settings) // what is wrong with them is told elsewhere
	return settings.FunctionARN
}

// defaultAudience of web identity tokens, where the settings name none: what Entra ID recommends (Microsoft Entra docs,
// "Workload identity federation").
const defaultAudience = "api://AzureADTokenExchange"

// Audience is that of the web identity tokens by which the provider knows the functions' roles, "" if it does not.
func (c Client) Audience() string {
	var settings struct{ WebIdentity *struct{ Audience string } }
	if json.Unmarshal(c.IdentityProvider.Settings, &settings) != nil || settings.WebIdentity == nil {
		return ""
	}
	return or(settings.WebIdentity.Audience, defaultAudience)
}

// checkARNs: the roles of the stack reach nothing in other accounts and partitions, and secrets only by whole ARNs.
func (c *Client) checkARNs(ps *strictjson.Problems, path string, s Settings) {
	secrets := append(c.findUserSecrets(), c.findSettingsSecrets()...)
	for _, other := range secrets {
		if other.arn == c.Secret.ARN && !c.CreateSecret {
			ps.Add(path+"."+other.path, "is the client's own secret, which rotations change: it must be another one")
		}
	}
	if !c.CreateSecret {
		secrets = append(secrets, named{"secret.arn", c.Secret.ARN})
	}
	for _, x := range secrets {
		if secretARN.MatchString(x.arn) && !secretNameOK(x.arn) {
			ps.Add(path+"."+x.path, "must not have other characters after :secret: than letters, digits and /_+=.@-, "+
				"as names of secrets do")
		} else if secretARN.MatchString(x.arn) && !wholeARN(x.arn) {
			ps.Add(path+"."+x.path, "must end with the hyphen and six characters that Secrets Manager added to the "+
				"name, as in …:secret:NAME-AbCdEf: copy the whole ARN (aws secretsmanager describe-secret)")
		}
		checkPlace(ps, path+"."+x.path, x.arn, s)
	}
	checkPartition(ps, path+".identityProvider.settings.functionArn", c.FunctionARN(), s)
	for _, key := range c.SigningKeys() {
		if slices.Contains(c.KMSKeys, key.KeyARN) {
			ps.Add(path+"."+key.Field, "is one of kmsKeys, which encrypt: a key that signs is another one")
		}
		checkPartition(ps, path+"."+key.Field, key.KeyARN, s)
	}
	for i, arn := range c.LoadBalancers {
		at := fmt.Sprintf("%s.loadBalancers[%d]", path, i)
		if a := config.AccountOf(arn); a == s.Account || c.IsReachedByRole(arn) || !accountPattern.MatchString(a) ||
			!accountPattern.MatchString(s.Account) {
			checkPartition(ps, at, arn, s)
		} else {
			ps.Add(at, "is in account %s, but the stack is in %s: give it a role there that the stack may assume, {arn: "+
				"ARN, role: NAME}, with NAME in roles", a, s.Account)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Roles)) {
		checkPartition(ps, path+".roles."+name+".roleArn", c.Roles[name].RoleARN, s)
	}
}

// secretNamePattern is what a secret may be called (Secrets Manager API reference, CreateSecret). ARNs get into
// policies, where * and ? would permit other secrets too.
var secretNamePattern = regexp.MustCompile(`^[A-Za-z0-9/_+=.@-]+$`)

func secretNameOK(arn string) bool {
	parts := strings.SplitN(arn, ":", 7)
	return len(parts) == 7 && secretNamePattern.MatchString(parts[6])
}

// checkPlace reports an ARN of another account or partition than the stack's, or whose Region is of another one.
func checkPlace(ps *strictjson.Problems, path, arn string, s Settings) {
	parts := strings.Split(arn, ":")
	if len(parts) < 6 || parts[0] != "arn" || !accountPattern.MatchString(parts[4]) {
		return // told elsewhere
	}
	if accountPattern.MatchString(s.Account) && parts[4] != s.Account {
		ps.Add(path, "is in account %s, but the stack is in %s", parts[4], s.Account)
	}
	checkPartition(ps, path, arn, s)
}

// checkPartition reports an ARN of another partition than the stack's, or whose Region is of another one.
func checkPartition(ps *strictjson.Problems, path, arn string, s Settings) {
	parts := strings.Split(arn, ":")
	if len(parts) < 6 || parts[0] != "arn" {
		return // told elsewhere
	}
	if here := region.PartitionOf(s.Region).ID; region.OK(s.Region) && partitionPattern.MatchString(parts[1]) &&
		parts[1] != here {
		ps.Add(path, "is in partition %s, but the stack's Region is in %s: its ARNs begin with arn:%s:", parts[1], here,
			here)
	} else if region.OK(parts[3]) && region.PartitionOf(parts[3]).ID != parts[1] {
		ps.Add(path, "has a Region of partition %s, and begins with that of %s", region.PartitionOf(parts[3]).ID,
			parts[1])
	}
}

var partitionPattern = regexp.MustCompile(`^aws(-[a-z]+){0,2}$`)

// suffixPattern is what Secrets Manager adds to a secret's name. It takes an ARN without it too, but IAM compares whole
// ARNs (Secrets Manager user guide, "What's in a secret?").
var suffixPattern = regexp.MustCompile(`-([A-Za-z0-9]{6})$`)

// words are how names end that only look as if they had it; Secrets Manager advises against such names.
var words = regexp.MustCompile(`(?i)^(access|active|admins|agents|alerts|apikey|backup|bearer|broker|canary|client|` +
	`common|config|custom|data[0-9]{2}|deploy|dev[0-9]{3}|domain|editor|events|export|github|gitlab|global|google|` +
	`hashed|import|issuer|keyset|lambda|legacy|locker|logins|master|mobile|nextjs|oauth2|oidc[0-9]{2}|openid|orders|` +
	`passwd|portal|portla|prd[0-9]{3}|prod[0-9]{2}|public|reader|region|remote|sample|sealed|secret|server|shared|` +
	`signer|signin|signon|source|stable|stage[0-9]|static|stored|stores|system|target|tenant|tester|test[0-9]{2}|` +
	`tokens|values|vaults|verify|viewer|webapp|webgui|worker|writer|[0-9]{6})$`)

// wholeARN reports whether a secret's ARN ends with what Secrets Manager added.
func wholeARN(arn string) bool {
	m := suffixPattern.FindStringSubmatch(arn)
	return m != nil && !words.MatchString(m[1])
}
