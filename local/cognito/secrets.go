package cognito

import (
	"crypto/rand"
	"errors"
	"regexp"
	"strings"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
	face "alboidc.internal/shared/idp/cognito/cognitotest"
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

func (s *Service) addSecret(call *awsapi.Call) (any, error) {
	var in struct {
		appClient
		ClientSecret *string
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	c, err := s.find(call, in.appClient)
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
	err = s.store.Update(c.ID, func(e *clients.Edit) error {
		switch len(e.All()) {
		case 0:
			return errParameter("User pool client %s is not a confidential client.", c.ID)
		case maxSecrets:
			return awsapi.Errorf("LimitExceededException", "User pool client %s has the maximum of %d client secrets.", c.ID, maxSecrets)
		}
		made, err := s.add(e, c.ID, *in.ClientSecret)
		out.ID, out.Created = made.ID, stamp(made.Created)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.managed[c.ID] = true
	return map[string]any{"ClientSecretDescriptor": out}, nil
}

// add gives the secret the id of this second, or of the first one after it that no other secret of the client has had.
func (s *Service) add(e *clients.Edit, clientID, value string) (clients.Secret, error) {
	for at := s.clock.Now(); ; at = at.Add(time.Second) {
		made, err := e.Add(clients.Secret{ID: face.SecretID(clientID, at)}, value)
		if !errors.Is(err, clients.ErrExists) {
			return made, err
		}
	}
}

// checkValue does not say what the value is: the answer may be logged.
func checkValue(v string) error {
	switch {
	case len(v) < minValue:
		return errParameter("1 validation error detected: Value at 'clientSecret' failed to satisfy constraint: Member must have length greater than or equal to %d", minValue)
	case len(v) > maxValue:
		return errParameter("1 validation error detected: Value at 'clientSecret' failed to satisfy constraint: Member must have length less than or equal to %d", maxValue)
	case !valuePattern.MatchString(v):
		return errParameter(`1 validation error detected: Value at 'clientSecret' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+]+`)
	}
	return nil
}

// generate makes a value of 52 characters, as Cognito does when the caller gives none.
func generate() string { return strings.ToLower(rand.Text() + rand.Text()) }

// listSecrets never gives a token for a next page, so it takes none.
func (s *Service) listSecrets(call *awsapi.Call) (any, error) {
	var in struct {
		appClient
		NextToken *string
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	c, err := s.find(call, in.appClient)
	if err != nil {
		return nil, err
	}
	if in.NextToken != nil {
		return nil, errParameter("Invalid pagination token.")
	}
	list := []descriptor{}
	for _, x := range s.store.Secrets(c.ID) {
		list = append(list, descriptor{ID: x.ID, Created: stamp(x.Created)})
	}
	return map[string]any{"ClientSecrets": list}, nil
}

// deleteSecret refuses to delete the last secret (API reference, DeleteUserPoolClientSecret). The code of that refusal is
// not documented.
func (s *Service) deleteSecret(call *awsapi.Call) (any, error) {
	var in struct {
		appClient
		ClientSecretID string
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	c, err := s.find(call, in.appClient)
	if err != nil {
		return nil, err
	}
	return nil, s.store.Update(c.ID, func(e *clients.Edit) error {
		if _, err := e.Get(in.ClientSecretID); err != nil {
			return errNotFound("Client secret %s does not exist.", in.ClientSecretID)
		}
		if len(e.All()) == 1 {
			return errParameter("The last client secret of user pool client %s cannot be deleted.", c.ID)
		}
		return e.Remove(in.ClientSecretID)
	})
}
