package elbv2

import (
	"cmp"
	"slices"
	"strconv"

	"alboidc.internal/shared/awstest/awsapi"
)

// actions reads a list of actions, in the order they are performed.
func (r *request) actions(list string) ([]Action, error) {
	var out []Action
	for _, m := range r.p.Members(list) {
		a, err := r.action(m + ".")
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	slices.SortStableFunc(out, func(a, b Action) int { return cmp.Compare(a.Order, b.Order) })
	return out, nil
}

func (r *request) action(at string) (Action, error) {
	a := Action{Type: r.p.String(at + "Type"), TargetGroupARN: r.p.String(at + "TargetGroupArn")}
	var err error
	if a.Order, err = r.int(at+"Order", 0, 1, 50000); err != nil {
		return a, err
	}
	if a.TargetGroupARN != "" && a.Type != TypeForward {
		return a, invalidAction("a target group ARN may be given only for actions of type 'forward'")
	}
	switch a.Type {
	case TypeForward:
		err = r.forward(at, &a)
	case TypeRedirect:
		a.Redirect, err = r.redirect(at + "RedirectConfig.")
	case TypeFixedResponse:
		a.FixedResponse, err = r.fixedResponse(at + "FixedResponseConfig.")
	case TypeAuthenticateOIDC:
		a.OIDC, err = r.oidc(at + "AuthenticateOidcConfig.")
	case TypeAuthenticateCognito:
		a.Cognito, err = r.cognito(at + "AuthenticateCognitoConfig.")
	default:
		err = awsapi.NotImplementedParameter(r.call, at+"Type="+a.Type)
	}
	return a, err
}

// forward reads a forward action. Given by TargetGroupArn alone, it reads back with a ForwardConfig as well, and a
// ForwardConfig with one group reads back with a TargetGroupArn (observed on live accounts).
func (r *request) forward(at string, a *Action) error {
	f := &Forward{}
	for _, m := range r.p.Members(at + "ForwardConfig.TargetGroups") {
		w, err := r.int(m+".Weight", 1, 0, 999)
		if err != nil {
			return err
		}
		f.TargetGroups = append(f.TargetGroups, WeightedGroup{ARN: r.p.String(m + ".TargetGroupArn"), Weight: w})
	}
	sticky := at + "ForwardConfig.TargetGroupStickinessConfig."
	if b := r.p.Bool(sticky + "Enabled"); b != nil {
		f.Stickiness.Enabled = *b
	}
	var err error
	if f.Stickiness.DurationSeconds, err = r.int(sticky+"DurationSeconds", 0, 1, 604800); err != nil {
		return err
	}
	if f.Stickiness.Enabled && f.Stickiness.DurationSeconds == 0 {
		return validation("a duration must be specified when target group stickiness is enabled")
	}
	switch {
	case len(f.TargetGroups) == 0 && a.TargetGroupARN == "":
		return invalidAction("a target group must be specified for actions of type 'forward'")
	case len(f.TargetGroups) == 0:
		f.TargetGroups = []WeightedGroup{{ARN: a.TargetGroupARN, Weight: 1}}
	case a.TargetGroupARN != "" && (len(f.TargetGroups) > 1 || f.TargetGroups[0].ARN != a.TargetGroupARN):
		// API reference, Action.ForwardConfig: with both, only one target group and it must be the same.
		return invalidAction("the target group of ForwardConfig must be the one of TargetGroupArn")
	case len(f.TargetGroups) > 5: // Elastic Load Balancing user guide, quotas: target groups per action
		return awsapi.Errorf("TooManyTargetGroups", "a forward action can have up to 5 target groups")
	}
	if len(f.TargetGroups) == 1 {
		a.TargetGroupARN = f.TargetGroups[0].ARN
	}
	a.Forward = f
	return nil
}

func (r *request) redirect(at string) (*Redirect, error) {
	d := &Redirect{
		StatusCode: r.p.String(at + "StatusCode"),
		Protocol:   cmp.Or(r.p.String(at+"Protocol"), "#{protocol}"),
		Host:       cmp.Or(r.p.String(at+"Host"), "#{host}"),
		Port:       cmp.Or(r.p.String(at+"Port"), "#{port}"),
		Path:       cmp.Or(r.p.String(at+"Path"), "/#{path}"),
		Query:      "#{query}",
	}
	if r.p.Has(at + "Query") {
		d.Query = r.p.String(at + "Query")
	}
	if d.StatusCode != "HTTP_301" && d.StatusCode != "HTTP_302" {
		return nil, validation("the status code of a redirect must be HTTP_301 or HTTP_302")
	}
	return d, nil
}

func (r *request) fixedResponse(at string) (*FixedResponse, error) {
	f := &FixedResponse{StatusCode: r.p.String(at + "StatusCode"), ContentType: r.p.String(at + "ContentType"),
		MessageBody: r.p.String(at + "MessageBody")}
	// API reference, FixedResponseActionConfig: 2XX, 4XX or 5XX.
	if n, err := strconv.Atoi(f.StatusCode); err != nil || n < 200 || n > 599 || n/100 == 3 {
		return nil, validation("the status code of a fixed response must be 2XX, 4XX or 5XX")
	}
	return f, nil
}

func (r *request) oidc(at string) (*OIDC, error) {
	o := &OIDC{
		Issuer:                r.p.String(at + "Issuer"),
		AuthorizationEndpoint: r.p.String(at + "AuthorizationEndpoint"),
		TokenEndpoint:         r.p.String(at + "TokenEndpoint"),
		UserInfoEndpoint:      r.p.String(at + "UserInfoEndpoint"),
		ClientID:              r.p.String(at + "ClientId"),
		ClientSecret:          r.p.String(at + "ClientSecret"),
	}
	use := r.p.Bool(at + "UseExistingClientSecret")
	o.useExisting = use != nil && *use
	for name, v := range map[string]string{"Issuer": o.Issuer, "AuthorizationEndpoint": o.AuthorizationEndpoint,
		"TokenEndpoint": o.TokenEndpoint, "UserInfoEndpoint": o.UserInfoEndpoint} {
		if !isHTTPSURL(v) {
			return nil, invalidAction("%s must be a full URL with the HTTPS protocol", name)
		}
	}
	if o.ClientID == "" {
		return nil, validation("a client id must be specified")
	}
	var err error
	o.Session, err = r.session(at)
	return o, err
}

func (r *request) cognito(at string) (*Cognito, error) {
	c := &Cognito{UserPoolARN: r.p.String(at + "UserPoolArn"), UserPoolClientID: r.p.String(at + "UserPoolClientId"),
		UserPoolDomain: r.p.String(at + "UserPoolDomain")}
	if c.UserPoolARN == "" || c.UserPoolClientID == "" || c.UserPoolDomain == "" {
		return nil, validation("a user pool, its client and its domain must be specified")
	}
	var err error
	c.Session, err = r.session(at)
	return c, err
}

// session reads the settings of a login session with their defaults (API reference, AuthenticateOidcActionConfig).
func (r *request) session(at string) (Session, error) {
	timeout, err := r.int(at+"SessionTimeout", 604800, 1, 604800)
	if err != nil {
		return Session{}, err
	}
	s := Session{
		CookieName:        cmp.Or(r.p.String(at+"SessionCookieName"), "AWSELBAuthSessionCookie"),
		Scope:             cmp.Or(r.p.String(at+"Scope"), "openid"),
		TimeoutSeconds:    int64(timeout),
		OnUnauthenticated: cmp.Or(r.p.String(at+"OnUnauthenticatedRequest"), "authenticate"),
	}
	if !slices.Contains([]string{"authenticate", "allow", "deny"}, s.OnUnauthenticated) {
		return s, validation("OnUnauthenticatedRequest must be authenticate, allow or deny")
	}
	// The Query protocol numbers the entries of a map from 1.
	for i := 1; ; i++ {
		e := at + "AuthenticationRequestExtraParams.entry." + strconv.Itoa(i) + "."
		if !r.p.Has(e + "key") {
			break
		}
		s.ExtraParams = append(s.ExtraParams, ExtraParam{Key: r.p.String(e + "key"), Value: r.p.String(e + "value")})
	}
	if len(s.ExtraParams) > 10 {
		return s, validation("there can be up to 10 extra parameters")
	}
	return s, nil
}

// conditions reads a rule's conditions.
func (r *request) conditions() ([]Condition, error) {
	var out []Condition
	for _, m := range r.p.Members("Conditions") {
		c := Condition{Field: r.p.String(m + ".Field"), Values: r.p.List(m + ".Values")}
		var config string
		switch c.Field {
		case FieldHostHeader:
			config = m + ".HostHeaderConfig.Values"
		case FieldPathPattern:
			config = m + ".PathPatternConfig.Values"
		default:
			return nil, awsapi.NotImplementedParameter(r.call, m+".Field="+c.Field)
		}
		more := r.p.List(config)
		if len(more) > 0 && len(c.Values) > 0 {
			return nil, validation("a condition can have either Values or a configuration of its own")
		}
		c.Values = append(c.Values, more...)
		if len(c.Values) == 0 {
			return nil, validation("a condition must have a value")
		}
		if c.Field == FieldHostHeader {
			c.HostHeader = &ValueList{Values: c.Values}
		} else {
			c.PathPattern = &ValueList{Values: c.Values}
		}
		out = append(out, c)
	}
	return out, nil
}

func (r *request) tags() []Tag {
	var out []Tag
	for _, m := range r.p.Members("Tags") {
		out = append(out, Tag{Key: r.p.String(m + ".Key"), Value: r.p.String(m + ".Value")})
	}
	return out
}

// int reads a number within limits; def stands for an absent one.
func (r *request) int(name string, def, low, high int) (int, error) {
	if !r.p.Has(name) {
		return def, nil
	}
	n := r.p.Int(name)
	if n == nil || *n < int64(low) || *n > int64(high) {
		return 0, validation("%s must be a number from %d to %d", name, low, high)
	}
	return int(*n), nil
}
