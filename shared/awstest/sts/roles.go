package sts

import (
	"crypto/rand"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
)

// Trust is a role with its trust policy.
type Trust struct {
	// ExternalID is demanded (IAM user guide, "The confused deputy problem"); "" demands none.
	ExternalID string
	// Callers are the ARNs that may assume it; none is every caller of the local stack's account. Those have the role
	// Role, but for the access keys of SetCaller.
	Callers []string
	// Account is what the session is of, where that is another than the ARN says.
	Account string
}

// assumed is a session of a role.
type assumed struct {
	account, arn string
	until        time.Time
}

// SetRole makes a role, or changes it. The ARN is of the account that it is in.
func (s *Service) SetRole(arn string, t Trust) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trusts[arn] = t
}

// SetCaller gives an access key of the local stack's account a role of its own.
func (s *Service) SetCaller(accessKey, role string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.callers[accessKey] = role
}

// DeleteRole removes a role, with its sessions: IAM refuses their requests from then on.
func (s *Service) DeleteRole(arn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.trusts, arn)
	for key, a := range s.sessions {
		if strings.HasPrefix(a.arn, sessionOf(arn)) {
			a.until = time.Time{}
			s.sessions[key] = a
		}
	}
}

// sessionOf is what the ARNs of a role's sessions begin with.
func sessionOf(role string) string {
	account, name := strings.Split(role, ":")[4], role[strings.LastIndex(role, "/")+1:]
	return "arn:aws:sts::" + account + ":assumed-role/" + name + "/"
}

var accountKey = regexp.MustCompile(`^\d{12}$`)

// Account implements awsapi.Callers. A key of twelve digits is one of that account, for tests.
func (s *Service) Account(accessKey string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch a, is := s.sessions[accessKey]; {
	case is && s.clock.Now().Before(a.until):
		return a.account, nil
	case is:
		return "", &awsapi.Error{Status: http.StatusForbidden, Code: "ExpiredToken",
			Message: "The security token included in the request is expired"}
	case accountKey.MatchString(accessKey):
		return accessKey, nil
	}
	return awsapi.AccountID, nil
}

type identity struct{ Arn, UserId, Account string } //nolint:revive // the API's name

func (s *Service) callerIdentity(call *awsapi.Call) identity {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, is := s.sessions[call.AccessKey]; is {
		return identity{a.arn, "AROALOCAL:session", a.account}
	}
	return identity{"arn:aws:iam::" + call.Account + ":user/local", "AIDALOCAL", call.Account}
}

var sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

type assumeRoleResult struct {
	Credentials struct {
		AccessKeyId, SecretAccessKey, SessionToken, Expiration string //nolint:revive // the API's name
	}
	AssumedRoleUser struct{ Arn, AssumedRoleId string } //nolint:revive // the API's name
}

// assumeRole gives a session, if the role's trust policy lets the caller (STS API reference, AssumeRole). A session by
// which a role is assumed lasts an hour at most, and every caller here has a role.
func (s *Service) assumeRole(call *awsapi.Call) (any, error) {
	p := call.Params()
	role, name, external, seconds := p.String("RoleArn"), p.String("RoleSessionName"), p.String("ExternalId"),
		int64(3600)
	if n := p.Int("DurationSeconds"); n != nil {
		seconds = *n
	}
	if err := p.Done(); err != nil {
		return nil, err
	}
	if !sessionName.MatchString(name) || seconds < 900 || seconds > 3600 {
		return nil, awsapi.Errorf("ValidationError",
			"RoleSessionName or DurationSeconds failed to satisfy a constraint")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	caller, named := s.callers[call.AccessKey]
	if !named {
		caller = Role
	}
	trust, exists := s.trusts[role]
	if !exists || call.Account != awsapi.AccountID || trust.ExternalID != "" && external != trust.ExternalID ||
		len(trust.Callers) > 0 && !slices.Contains(trust.Callers, caller) {
		return nil, &awsapi.Error{Status: http.StatusForbidden, Code: "AccessDenied", Message: "User: " + caller +
			" is not authorized to perform: sts:AssumeRole on resource: " + role}
	}
	a := assumed{account: strings.Split(role, ":")[4], until: s.clock.Now().Add(time.Duration(seconds) * time.Second)}
	a.arn = sessionOf(role) + name
	if trust.Account != "" {
		a.account = trust.Account
		a.arn = strings.Replace(a.arn, strings.Split(role, ":")[4], trust.Account, 1)
	}
	var out assumeRoleResult
	out.Credentials.AccessKeyId = "ASIA" + rand.Text()[:16]
	out.Credentials.SecretAccessKey, out.Credentials.SessionToken = rand.Text(), rand.Text()
	out.Credentials.Expiration = a.until.UTC().Format(time.RFC3339)
	out.AssumedRoleUser.Arn, out.AssumedRoleUser.AssumedRoleId = a.arn, "AROALOCAL:"+name
	s.sessions[out.Credentials.AccessKeyId] = a
	return out, nil
}
