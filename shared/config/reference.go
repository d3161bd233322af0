package config

// Identity is what configurations of the same client have in common. Everything else may change while an execution
// runs.
type Identity struct {
	Name       string `json:"name"`
	SecretARN  string `json:"secretArn"`
	Issuer     string `json:"issuer"`
	ClientID   string `json:"clientId"`
	ClientPair string `json:"clientPair,omitempty"`
	Provider   string `json:"provider"`
}

// Reference says which text of a client's configuration an execution works by. The state machine writes it into the
// journal beside the lock's owner, so that no function has to trust a configuration that comes with its call.
type Reference struct {
	// Execution is the lock's owner for whom it was written; under another owner it does not count.
	Execution string `json:"execution"`
	Text
	Client Identity `json:"client"`
}

// Text is one text of a client's configuration.
type Text struct {
	// Version is that of the SSM parameter. SHA256 is the text's digest in hexadecimal digits.
	Version int64  `json:"version"`
	SHA256  string `json:"sha256"`
}

// Identity returns the client's identity.
func (c Client) Identity() Identity {
	return Identity{Name: c.Name, SecretARN: c.Secret.ARN, Issuer: c.Issuer, ClientID: c.ClientID,
		ClientPair: c.IdentityProvider.ClientPair, Provider: c.IdentityProvider.Type}
}

// Differences lists the fields of the configuration in which two identities differ.
func (i Identity) Differences(other Identity) []string {
	var paths []string
	for _, f := range []struct{ path, a, b string }{
		{"name", i.Name, other.Name}, {"secret.arn", i.SecretARN, other.SecretARN}, {"issuer", i.Issuer, other.Issuer},
		{"clientId", i.ClientID, other.ClientID}, {"identityProvider.clientPair", i.ClientPair, other.ClientPair},
		{"identityProvider.type", i.Provider, other.Provider},
	} {
		if f.a != f.b {
			paths = append(paths, f.path)
		}
	}
	return paths
}
