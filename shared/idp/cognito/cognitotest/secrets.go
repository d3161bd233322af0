package cognitotest

import (
	"crypto/rand"
	"regexp"
	"strings"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/idp/idptest/clients"
)

// maxSecrets is how many secrets an app client can have (API reference, AddUserPoolClientSecret).
const maxSecrets = 2

// The constraints of ClientSecret (API reference, AddUserPoolClientSecret).
const minValue, maxValue = 24, 64

var valuePattern = regexp.MustCompile(`^[A-Za-z0-9_+]+$`)

// descriptor is a ClientSecretDescriptorType.
type descriptor struct {
	ID      string           `json:"ClientSecretId"`
	Created awsapi.Timestamp `json:"ClientSecretCreateDate"`
	Value   string           `json:"ClientSecretValue,omitempty"` // only of a secret that Cognito has just made
}

func (c *Cognito) addSecret(call *awsapi.Call) (any, error) {
	var in struct {
		appClient
		ClientSecret *string
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	client, err := c.find(call, in.appClient)
	if err != nil {
		return nil, err
	}
	out := descriptor{}
	if in.ClientSecret == nil {
		out.Value = generate()
		in.ClientSecret = &out.Value
	}
	if err := checkValue(*in.ClientSecret); err != nil {
		return nil, err
	}
	err = c.env.Store.Update(client.ID, func(e *clients.Edit) error {
		switch len(e.All()) {
		case 0:
			return errParameter("User pool client %s is not a confidential client.", client.ID)
		case maxSecrets:
			return awsapi.Errorf("LimitExceededException", "User pool client %s has the maximum of %d client secrets.",
				client.ID, maxSecrets)
		}
		made, err := e.Add(clients.Secret{ID: c.NewSecretID(client.ID)}, *in.ClientSecret)
		out.ID, out.Created = made.ID, stamp(made.Created)
		return err
	})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.managed[client.ID] = true
	return map[string]any{"ClientSecretDescriptor": out}, nil
}

// checkValue does not say what the value is: the answer may be logged.
func checkValue(v string) error {
	switch {
	case len(v) < minValue:
		return errParameter("1 validation error detected: Value at 'clientSecret' failed to satisfy constraint: "+
			"Member must have length greater than or equal to %d", minValue)
	case len(v) > maxValue:
		return errParameter("1 validation error detected: Value at 'clientSecret' failed to satisfy constraint: "+
			"Member must have length less than or equal to %d", maxValue)
	case !valuePattern.MatchString(v):
		return errParameter(
			`1 validation error detected: Value at 'clientSecret' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+]+`)
	}
	return nil
}

// generate makes a value of 52 characters, as Cognito does when the caller gives none.
func generate() string { return strings.ToLower(rand.Text() + rand.Text()) }

// listSecrets never gives a token for a next page, so it takes none.
func (c *Cognito) listSecrets(call *awsapi.Call) (any, error) {
	var in struct {
		appClient
		NextToken *string
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	client, err := c.find(call, in.appClient)
	if err != nil {
		return nil, err
	}
	if in.NextToken != nil {
		return nil, errParameter("Invalid pagination token.")
	}
	list := []descriptor{}
	for _, x := range c.env.Store.Secrets(client.ID) {
		list = append(list, descriptor{ID: x.ID, Created: stamp(x.Created)})
	}
	return map[string]any{"ClientSecrets": list}, nil
}

// deleteSecret refuses to delete the last secret (API reference, DeleteUserPoolClientSecret). The code of that refusal
// is not documented.
func (c *Cognito) deleteSecret(call *awsapi.Call) (any, error) {
	var in struct {
		appClient
		ClientSecretID string
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	client, err := c.find(call, in.appClient)
	if err != nil {
		return nil, err
	}
	return nil, c.env.Store.Update(client.ID, func(e *clients.Edit) error {
		if _, err := e.Get(in.ClientSecretID); err != nil {
			return errNotFound("Client secret %s does not exist.", in.ClientSecretID)
		}
		if len(e.All()) == 1 {
			return errParameter("The last client secret of user pool client %s cannot be deleted.", client.ID)
		}
		return e.Remove(in.ClientSecretID)
	})
}
