package elbv2

import (
	"strconv"
)

// The answers of the API, as the Query protocol encodes them: lists are <member> elements.

type loadBalancersResult struct {
	LoadBalancers []loadBalancerXML `xml:"LoadBalancers>member"`
	NextMarker    string            `xml:"NextMarker,omitempty"`
}

type loadBalancerXML struct {
	ARN           string    `xml:"LoadBalancerArn"`
	Name          string    `xml:"LoadBalancerName"`
	DNSName       string    `xml:"DNSName"`
	Scheme        string    `xml:"Scheme"`
	Type          string    `xml:"Type"`
	IPAddressType string    `xml:"IpAddressType"`
	State         string    `xml:"State>Code"`
	Created       string    `xml:"CreatedTime"`
	Zones         []zoneXML `xml:"AvailabilityZones>member"`
}

// createdFormat is how the API writes an instant: with milliseconds (API reference, DescribeLoadBalancers, Examples).
const createdFormat = "2006-01-02T15:04:05.000Z"

type zoneXML struct {
	ZoneName string `xml:"ZoneName"`
	SubnetID string `xml:"SubnetId"`
}

func (l LoadBalancer) xml() loadBalancerXML {
	x := loadBalancerXML{ARN: l.ARN, Name: l.Name, DNSName: l.DNSName, Scheme: "internet-facing", Type: "application",
		IPAddressType: "ipv4", State: "active", Created: l.Created.UTC().Format(createdFormat)}
	for i, subnet := range l.Subnets {
		x.Zones = append(x.Zones, zoneXML{ZoneName: l.Region + string(rune('a'+i)), SubnetID: subnet})
	}
	return x
}

type listenersResult struct {
	Listeners  []listenerXML `xml:"Listeners>member"`
	NextMarker string        `xml:"NextMarker,omitempty"`
}

type listenerXML struct {
	ARN             string           `xml:"ListenerArn"`
	LoadBalancerARN string           `xml:"LoadBalancerArn"`
	Port            int              `xml:"Port"`
	Protocol        string           `xml:"Protocol"`
	SSLPolicy       string           `xml:"SslPolicy,omitempty"`
	Certificates    []certificateXML `xml:"Certificates>member"`
	DefaultActions  []Action         `xml:"DefaultActions>member"`
}

type certificateXML struct {
	ARN string `xml:"CertificateArn"`
}

func (l Listener) xml(loadBalancerARN string) listenerXML {
	x := listenerXML{ARN: l.ARN, LoadBalancerARN: loadBalancerARN, Port: l.Port, Protocol: l.Protocol,
		SSLPolicy: l.SSLPolicy, DefaultActions: l.DefaultRule().Actions}
	for _, c := range l.Certificates {
		x.Certificates = append(x.Certificates, certificateXML{ARN: c})
	}
	return x
}

type rulesResult struct {
	Rules      []ruleXML `xml:"Rules>member"`
	NextMarker string    `xml:"NextMarker,omitempty"`
}

type ruleXML struct {
	ARN        string      `xml:"RuleArn"`
	Priority   string      `xml:"Priority"`
	Default    bool        `xml:"IsDefault"`
	Conditions []Condition `xml:"Conditions>member"`
	Actions    []Action    `xml:"Actions>member"`
}

// xml gives the default rule the priority "default" (API reference, Rule.Priority).
func (r Rule) xml() ruleXML {
	x := ruleXML{ARN: r.ARN, Priority: strconv.Itoa(r.Priority), Default: r.Default, Conditions: r.Conditions,
		Actions: r.Actions}
	if r.Default {
		x.Priority = "default"
	}
	return x
}

type targetGroupsResult struct {
	TargetGroups []targetGroupXML `xml:"TargetGroups>member"`
}

type targetGroupXML struct {
	ARN      string `xml:"TargetGroupArn"`
	Name     string `xml:"TargetGroupName"`
	Protocol string `xml:"Protocol"`
	Port     int    `xml:"Port"`
	Type     string `xml:"TargetType"`
}

type tagsResult struct {
	Descriptions []tagDescriptionXML `xml:"TagDescriptions>member"`
}

type tagDescriptionXML struct {
	ARN  string `xml:"ResourceArn"`
	Tags []Tag  `xml:"Tags>member"`
}

// page reads Marker and PageSize; it is called before Done, its result after the list is known.
func (r *request) page() (pager, error) {
	size, err := r.int("PageSize", 400, 1, 400) // 400 is the most that AWS takes
	if err != nil {
		return pager{}, err
	}
	p := pager{size: size}
	if m := r.p.String("Marker"); m != "" {
		if p.from, err = strconv.Atoi(m); err != nil || p.from < 0 {
			return p, validation("the marker is not valid")
		}
	}
	return p, nil
}

type pager struct{ from, size int }

// cut returns one page of all and the marker of the next one.
func cut[T any](p pager, all []T) ([]T, string) {
	from := min(p.from, len(all))
	to := min(from+p.size, len(all))
	if to == len(all) {
		return all[from:to], ""
	}
	return all[from:to], strconv.Itoa(to)
}
