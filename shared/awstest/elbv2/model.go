package elbv2

import (
	"encoding/xml"
	"strings"
	"time"
)

// The action types and fields of this API that the local stack knows.
const (
	TypeForward             = "forward"
	TypeRedirect            = "redirect"
	TypeFixedResponse       = "fixed-response"
	TypeAuthenticateOIDC    = "authenticate-oidc"
	TypeAuthenticateCognito = "authenticate-cognito"

	FieldHostHeader  = "host-header"
	FieldPathPattern = "path-pattern"

	ProtocolHTTP  = "HTTP"
	ProtocolHTTPS = "HTTPS"
)

// Config is the whole configuration of a load balancer at one time. It and everything below it is immutable: a change
// makes a new Config. It holds client secrets, so it must not be printed.
type Config struct {
	LoadBalancer LoadBalancer
	Listeners    []Listener
}

// LoadBalancer is what a load balancer is made with.
type LoadBalancer struct {
	ARN     string
	Name    string
	Region  string
	DNSName string
	Subnets []string
	Created time.Time
}

// Dimension is the value of the CloudWatch dimension LoadBalancer, "app/name/id": the end of the ARN (Elastic Load
// Balancing user guide, CloudWatch metrics for your Application Load Balancer).
func (l LoadBalancer) Dimension() string {
	_, end, _ := strings.Cut(l.ARN, ":loadbalancer/")
	return end
}

// Listener is one port of a load balancer with its rules, by priority, the default rule last.
type Listener struct {
	ARN          string
	Protocol     string
	Port         int
	SSLPolicy    string
	Certificates []string
	Rules        []Rule
}

// DefaultRule is the rule without conditions.
func (l Listener) DefaultRule() Rule { return l.Rules[len(l.Rules)-1] }

// Rule is a listener's rule. Priority is 0 for the default rule.
type Rule struct {
	ARN        string
	Priority   int
	Default    bool
	Conditions []Condition
	Actions    []Action // in the order they are performed; the last one is the routing action
}

// OIDC is the configuration of the rule's authenticate-oidc action, nil if it has none.
func (r Rule) OIDC() *OIDC {
	for _, a := range r.Actions {
		if a.OIDC != nil {
			return a.OIDC
		}
	}
	return nil
}

// Login is the authenticate-oidc action of a rule, or of a listener's default rule; nil if it has none.
func (s *Service) Login(arn string) *OIDC {
	for _, lb := range s.LoadBalancers() {
		for _, l := range s.Current(lb).Listeners {
			for _, r := range l.Rules {
				if r.ARN == arn || r.Default && l.ARN == arn {
					return r.OIDC()
				}
			}
		}
	}
	return nil
}

// Condition is satisfied if one of its values matches.
type Condition struct {
	Field       string     `xml:"Field"`
	Values      []string   `xml:"Values>member"`
	HostHeader  *ValueList `xml:"HostHeaderConfig"`
	PathPattern *ValueList `xml:"PathPatternConfig"`
}

// ValueList is the body of HostHeaderConfig and PathPatternConfig.
type ValueList struct {
	Values []string `xml:"Values>member"`
}

// Action is one action of a rule, with the defaults that AWS fills in.
type Action struct {
	Type           string         `xml:"Type"`
	Order          int            `xml:"Order,omitempty"` // 0 if it was not given
	TargetGroupARN string         `xml:"TargetGroupArn,omitempty"`
	Forward        *Forward       `xml:"ForwardConfig"`
	Redirect       *Redirect      `xml:"RedirectConfig"`
	FixedResponse  *FixedResponse `xml:"FixedResponseConfig"`
	OIDC           *OIDC          `xml:"AuthenticateOidcConfig"`
	Cognito        *Cognito       `xml:"AuthenticateCognitoConfig"`
	// New are elements that this API gets one day, and that no SDK of today knows: see Service.AddElement. A request
	// cannot hold them, so whoever writes an action without knowing them drops them.
	New []Element `xml:",any"`
}

// Element is an element of an answer.
type Element struct {
	XMLName xml.Name
	Value   string `xml:",chardata"`
}

// Forward distributes requests over target groups by weight.
type Forward struct {
	TargetGroups []WeightedGroup `xml:"TargetGroups>member"`
	Stickiness   Stickiness      `xml:"TargetGroupStickinessConfig"`
}

// WeightedGroup is one target group of a forward action.
type WeightedGroup struct {
	ARN    string `xml:"TargetGroupArn"`
	Weight int    `xml:"Weight"`
}

// Stickiness keeps a client at the target group it was first sent to.
type Stickiness struct {
	Enabled         bool `xml:"Enabled"`
	DurationSeconds int  `xml:"DurationSeconds,omitempty"`
}

// Redirect is a redirect action; its members may hold #{protocol}, #{host}, #{port}, #{path} and #{query}.
type Redirect struct {
	StatusCode string `xml:"StatusCode"`
	Protocol   string `xml:"Protocol"`
	Host       string `xml:"Host"`
	Port       string `xml:"Port"`
	Path       string `xml:"Path"`
	Query      string `xml:"Query"`
}

// FixedResponse is a fixed-response action.
type FixedResponse struct {
	StatusCode  string `xml:"StatusCode"`
	ContentType string `xml:"ContentType,omitempty"`
	MessageBody string `xml:"MessageBody,omitempty"`
}

// Session holds what the two authenticate actions have in common.
type Session struct {
	CookieName        string      `xml:"SessionCookieName"`
	Scope             string      `xml:"Scope"`
	TimeoutSeconds    int64       `xml:"SessionTimeout"`
	OnUnauthenticated string      `xml:"OnUnauthenticatedRequest"` // authenticate, allow or deny
	ExtraParams       ExtraParams `xml:"AuthenticationRequestExtraParams"`
}

// ExtraParams are further query parameters of the authorization request.
type ExtraParams []ExtraParam

// MarshalXML implements xml.Marshaler: a map that is not set is left out, which a tag cannot say.
func (e ExtraParams) MarshalXML(enc *xml.Encoder, start xml.StartElement) error {
	if len(e) == 0 {
		return nil
	}
	return enc.EncodeElement(struct {
		Entries []ExtraParam `xml:"entry"`
	}{e}, start)
}

// ExtraParam is one of ExtraParams.
type ExtraParam struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

// OIDC is the configuration of an authenticate-oidc action.
type OIDC struct {
	Issuer                string `xml:"Issuer"`
	AuthorizationEndpoint string `xml:"AuthorizationEndpoint"`
	TokenEndpoint         string `xml:"TokenEndpoint"`
	UserInfoEndpoint      string `xml:"UserInfoEndpoint"`
	ClientID              string `xml:"ClientId"`
	Session
	// ClientSecret is never part of an answer (API reference, AuthenticateOidcActionConfig: the type is shared with
	// requests; a live account leaves the member out).
	ClientSecret string `xml:"-"`

	useExisting bool // only while a request is carried out
}

// Cognito is the configuration of an authenticate-cognito action. It is stored for those who search actions by type;
// the data plane does not perform it.
type Cognito struct {
	UserPoolARN      string `xml:"UserPoolArn"`
	UserPoolClientID string `xml:"UserPoolClientId"`
	UserPoolDomain   string `xml:"UserPoolDomain"`
	Session
}

// Tag is a tag of a load balancer, listener or rule.
type Tag struct {
	Key   string `xml:"Key"`
	Value string `xml:"Value"`
}

// Target is where a target group sends requests: an address and a port.
type Target struct {
	ID   string `xml:"Id"`
	Port int    `xml:"Port"`
}
