package alb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/rotation"
)

// Where says which load balancers to search.
type Where struct {
	// LoadBalancers are the listed ones, by ARN.
	LoadBalancers []string
	// Tags, if any, stand for every Application Load Balancer of Regions that has all of them.
	Tags    map[string]string
	Regions []string
	// Account is where to look for them; "" is the account that everything else is in.
	Account string
	// Earlier are the places of earlier configurations under which secrets were put on targets. A missing load balancer
	// of theirs is no error.
	Earlier []Where
	// Known are targets that were found before. A missing load balancer of theirs is no error.
	Known []rotation.Target
	// Once: nobody searches again if this search ends as Throttled, so that it waits from its first request on.
	Once bool
}

// searched is a load balancer to look at.
type searched struct {
	arn string
	// named: it is listed, so that it must exist.
	named bool
	// left: it is searched only because of earlier configurations or targets.
	left bool
}

// find returns the load balancers that w stands for, each once: the listed ones; those with the tags, by Region as
// given and by ARN; then the earlier and known ones. A Region without any is a warning.
func (p *patience) find(ctx context.Context, w Where) (places []searched, warnings []string, err error) {
	seen := map[string]bool{}
	add := func(named, left bool, arns ...string) {
		for _, arn := range arns {
			if !seen[arn] {
				seen[arn] = true
				places = append(places, searched{arn, named, left})
			}
		}
	}
	add(true, false, w.LoadBalancers...)
	found, warnings, err := p.search(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	add(false, false, found...)
	for _, e := range w.Earlier {
		add(false, true, e.LoadBalancers...)
		found, _, err := p.search(ctx, e)
		if err != nil {
			return nil, nil, err
		}
		add(false, true, found...)
	}
	for _, t := range w.Known {
		add(false, true, t.LoadBalancerARN)
	}
	return places, warnings, nil
}

// search finds the load balancers that have the tags.
func (p *patience) search(ctx context.Context, w Where) (arns, warnings []string, err error) {
	if len(w.Tags) == 0 {
		return nil, nil, nil
	}
	for _, region := range w.Regions {
		found, err := findTagged(ctx, p.reader(w.Account, region), w.Tags)
		if err != nil {
			return nil, nil, asUnavailable(err, "looking for the load balancers of %s by their tags", region)
		}
		if len(found) == 0 {
			warnings = append(warnings, fmt.Sprintf("no Application Load Balancer in %s has the tags %s", region,
				formatTags(w.Tags)))
		}
		arns = append(arns, found...)
	}
	return arns, warnings, nil
}

// findTagged returns the ARNs of a Region's Application Load Balancers that have all of the tags, in order.
func findTagged(ctx context.Context, api API, want map[string]string) ([]string, error) {
	all, err := balancers(ctx, api)
	if err != nil {
		return nil, err
	}
	var arns, out []string
	for _, lb := range all {
		arns = append(arns, aws.ToString(lb.LoadBalancerArn))
	}
	for batch := range slices.Chunk(arns, maxTagged) {
		page, err := api.DescribeTags(ctx, &elasticloadbalancingv2.DescribeTagsInput{ResourceArns: batch})
		if err != nil {
			return nil, err
		}
		for _, d := range page.TagDescriptions {
			if hasAll(d.Tags, want) {
				out = append(out, aws.ToString(d.ResourceArn))
			}
		}
	}
	slices.Sort(out)
	return out, nil
}

// DNSNames returns the DNS names of load balancers, by their ARNs; one that does not exist is left out.
func (b *Balancers) DNSNames(ctx context.Context, arns []string) (map[string]string, error) {
	names, read := map[string]string{}, map[string]bool{}
	for _, arn := range arns {
		lb, err := parseBalancer(arn)
		if err != nil {
			return nil, err
		}
		if read[lb.account+lb.region] {
			continue
		}
		read[lb.account+lb.region] = true
		all, err := balancers(ctx, b.waits().reader(lb.account, lb.region))
		if err != nil {
			return nil, awserr.Wrap(err, "reading the DNS names of the load balancers of %s", lb.region)
		}
		for _, lb := range all {
			names[aws.ToString(lb.LoadBalancerArn)] = aws.ToString(lb.DNSName)
		}
	}
	maps.DeleteFunc(names, func(arn, _ string) bool { return !slices.Contains(arns, arn) })
	return names, nil
}

// Name returns the name in a load balancer's ARN, for people; the text itself if it is no such ARN.
func Name(arn string) string {
	lb, err := parseBalancer(arn)
	if err != nil {
		return arn
	}
	return lb.name
}

// balancers lists all Application Load Balancers of a Region.
func balancers(ctx context.Context, api API) ([]types.LoadBalancer, error) {
	var all []types.LoadBalancer
	in := &elasticloadbalancingv2.DescribeLoadBalancersInput{}
	for {
		page, err := api.DescribeLoadBalancers(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, lb := range page.LoadBalancers {
			if lb.Type == types.LoadBalancerTypeEnumApplication {
				all = append(all, lb)
			}
		}
		if aws.ToString(page.NextMarker) == "" {
			return all, nil
		}
		in.Marker = page.NextMarker
	}
}

func hasAll(tags []types.Tag, want map[string]string) bool {
	missing := len(want)
	for _, t := range tags {
		if v, ok := want[aws.ToString(t.Key)]; ok && v == aws.ToString(t.Value) {
			missing-- // a key occurs once
		}
	}
	return missing == 0
}

// formatTags writes tags for people.
func formatTags(tags map[string]string) string {
	var list []string
	for k, v := range tags {
		list = append(list, fmt.Sprintf("%s=%q", k, v))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
