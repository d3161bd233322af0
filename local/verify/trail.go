package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// provoke makes the calls with a client secret that no other step makes: one that makes a rule, and one that fails.
func (m *Run) provoke(ctx context.Context) error {
	actions, err := m.ofRule(ctx)
	if err != nil {
		return err
	}
	v, err := m.newSecret("s3000")
	if err != nil {
		return err
	}
	out, err := m.ELB.CreateRule(ctx, &elb.CreateRuleInput{ListenerArn: &m.r.Listener, Priority: aws.Int32(2),
		Actions: with(actions, v), Conditions: []elbtypes.RuleCondition{{Field: aws.String("path-pattern"),
			PathPatternConfig: &elbtypes.PathPatternConditionConfig{Values: []string{"/made"}}}}})
	if err != nil {
		return fmt.Errorf("making a rule: %w", err)
	}
	gone := aws.ToString(out.Rules[0].RuleArn)
	if _, err := m.ELB.DeleteRule(ctx, &elb.DeleteRuleInput{RuleArn: &gone}); err != nil {
		return fmt.Errorf("deleting a rule: %w", err)
	}
	_, err = m.ELB.ModifyRule(ctx, &elb.ModifyRuleInput{RuleArn: &gone, Actions: with(actions, v)})
	var none *elbtypes.RuleNotFoundException
	if !errors.As(err, &none) {
		return fmt.Errorf("changing a rule that is gone: want RuleNotFound, not %w", err)
	}
	return nil
}

// called are the calls whose record is looked for.
var called = []struct {
	name   string
	failed bool
}{{"ModifyRule", false}, {"ModifyListener", false}, {"CreateRule", false}, {"ModifyRule", true}}

// trail looks for the client secrets of this run in what CloudTrail has recorded of the calls that held one.
func (m *Run) trail(ctx context.Context) error {
	for _, c := range called {
		what := c.name
		if c.failed {
			what += " that fails"
		}
		f := Finding{Question: "whether CloudTrail shows ClientSecret in " + what,
			Assumed: "nothing: who reads the trail " +
				"must be allowed to, if it does", Found: "no record within half an hour", Verdict: Unknown}
		_, _, err := m.until(ctx, 30*time.Second, 30*time.Minute, func() (bool, error) {
			records, err := m.records(ctx, c.name, c.failed)
			if len(records) == 0 {
				return false, err
			}
			f.Found, f.Verdict = "masked", AsAssumed
			for _, r := range records {
				if m.inClear(r) {
					f.Found, f.Verdict = "IN CLEAR: restrict who reads the trail", Differs
				}
			}
			return true, err
		})
		m.find(f)
		if err != nil {
			return err
		}
	}
	return nil
}

// records are what CloudTrail has recorded of a call on the load balancer of this run.
func (m *Run) records(ctx context.Context, name string, failed bool) ([]string, error) {
	var out []string
	pages := cloudtrail.NewLookupEventsPaginator(m.Trail, &cloudtrail.LookupEventsInput{StartTime: &m.report.Began,
		LookupAttributes: []types.LookupAttribute{{AttributeKey: types.LookupAttributeKeyEventName,
			AttributeValue: &name}}})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Events {
			record := aws.ToString(e.CloudTrailEvent)
			// The ARNs of a load balancer, its listeners and their rules have its name and id in common.
			if strings.Contains(record, m.r.Dimension) && strings.Contains(record, `"errorCode"`) == failed {
				out = append(out, record)
			}
		}
	}
	return out, nil
}

func (m *Run) inClear(record string) bool {
	for _, v := range m.secrets {
		if strings.Contains(record, v.Reveal()) {
			return true
		}
	}
	return false
}
