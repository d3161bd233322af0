package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	secretstypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// tries is how often each read is tried. Secrets Manager keeps 100 versions, and wants few writes.
const tries = 20

// lag is a write, and a read that tells whether it shows what was written.
type lag struct {
	question, assumed string
	atMost            time.Duration
	write             func(ctx context.Context, i int) error
	shows             func(ctx context.Context, i int) (bool, error)
}

// lags measures how long after a write a read still shows what was before.
func (m *Run) lags(ctx context.Context) error {
	var failed []error
	for _, l := range slices.Concat(m.lagsOfSecrets(), m.lagsOfOthers()) {
		if err := m.lag(ctx, l); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", l.question, err))
		}
	}
	return errors.Join(failed...)
}

func (m *Run) lagsOfSecrets() []lag {
	var version string
	return []lag{
		{"how far reads of Secrets Manager lag: a new version by its id", "3.5 s: read again after 0.5, 1 and 2 s",
			3500 * time.Millisecond,
			func(ctx context.Context, i int) error {
				out, err := m.Secrets.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &m.r.Secret,
					SecretString: aws.String(strconv.Itoa(i)), VersionStages: []string{"AWSPENDING"}})
				if err == nil {
					version = aws.ToString(out.VersionId)
				}
				return err
			}, func(ctx context.Context, _ int) (bool, error) {
				return m.reads(ctx, &secretsmanager.GetSecretValueInput{SecretId: &m.r.Secret, VersionId: &version},
					version)
			}},
		{"how far reads of Secrets Manager lag: AWSCURRENT after a label moved",
			"3.5 s: read again after 0.5, 1 and 2 s",
			3500 * time.Millisecond,
			func(ctx context.Context, i int) error {
				out, err := m.Secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &m.r.Secret})
				if err != nil {
					return err
				}
				put, err := m.Secrets.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &m.r.Secret,
					SecretString: aws.String("label " + strconv.Itoa(i)), VersionStages: []string{"AWSPENDING"}})
				if err != nil {
					return err
				}
				version = aws.ToString(put.VersionId)
				_, err = m.Secrets.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
					SecretId: &m.r.Secret, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: &version,
					RemoveFromVersionId: out.VersionId})
				return err
			}, func(ctx context.Context, _ int) (bool, error) {
				return m.reads(ctx, &secretsmanager.GetSecretValueInput{SecretId: &m.r.Secret}, version)
			}},
	}
}

func (m *Run) lagsOfOthers() []lag {
	return []lag{
		{"how far Describe calls of a load balancer lag behind Modify",
			"7 s: a difference counts only if it stays over " +
				"reads 1, 2 and 4 s apart", 7 * time.Second,
			func(ctx context.Context, i int) error {
				actions, err := m.ofRule(ctx)
				if err != nil {
					return err
				}
				v, err := m.newSecret("s" + strconv.Itoa(1000+i))
				if err != nil {
					return err
				}
				actions = with(actions, v)
				for _, a := range actions {
					if a.AuthenticateOidcConfig != nil {
						a.AuthenticateOidcConfig.SessionTimeout = aws.Int64(int64(1000 + i))
					}
				}
				_, err = m.ELB.ModifyRule(ctx, &elb.ModifyRuleInput{RuleArn: &m.r.Rule, Actions: actions})
				return err
			}, func(ctx context.Context, i int) (bool, error) {
				actions, err := m.ofRule(ctx)
				for _, a := range actions {
					if c := a.AuthenticateOidcConfig; c != nil {
						return aws.ToInt64(c.SessionTimeout) == int64(1000+i), err
					}
				}
				return false, err
			}},
		{"how far reads of a parameter lag", "nothing; an execution reads the one that was deployed last", 0,
			func(ctx context.Context, i int) error {
				_, err := m.Parameters.PutParameter(ctx, &ssm.PutParameterInput{Name: &m.r.Parameter,
					Value: aws.String(strconv.Itoa(i + 1)), Overwrite: aws.Bool(true)})
				return err
			}, func(ctx context.Context, i int) (bool, error) {
				out, err := m.Parameters.GetParameter(ctx, &ssm.GetParameterInput{Name: &m.r.Parameter})
				return err == nil && aws.ToString(out.Parameter.Value) == strconv.Itoa(i+1), err
			}},
		{"how far DescribeExecution lags behind the start",
			"15 s: an owner of the lock is asked for again over that time",
			15 * time.Second,
			func(ctx context.Context, i int) error {
				_, err := m.start(ctx, fmt.Sprintf("lag-%d", i), "done")
				return err
			}, func(ctx context.Context, i int) (bool, error) {
				_, err := m.States.DescribeExecution(ctx, &sfn.DescribeExecutionInput{
					ExecutionArn: aws.String(m.execution(fmt.Sprintf("lag-%d", i)))})
				return err == nil, ignoreMissing(err)
			}},
	}
}

func (m *Run) lag(ctx context.Context, l lag) error {
	var all []time.Duration
	for i := range tries {
		if err := l.write(ctx, i); err != nil {
			return err
		}
		took, ok, err := m.until(ctx, 100*time.Millisecond, time.Minute,
			func() (bool, error) { return l.shows(ctx, i) })
		if err == nil && !ok {
			err = fmt.Errorf("not shown after %s", took.Round(time.Second))
		}
		if err != nil {
			return err
		}
		all = append(all, took)
	}
	numbers, most := seconds(all)
	m.find(Finding{Question: l.question, Assumed: l.assumed, Numbers: numbers,
		Found: fmt.Sprintf("at most %.1f s in %d tries", most.Seconds(), tries), Verdict: decide(most <= l.atMost)})
	return nil
}

// reads tells whether a read shows a version; one that is not found does not.
func (m *Run) reads(ctx context.Context, in *secretsmanager.GetSecretValueInput, version string) (bool, error) {
	out, err := m.Secrets.GetSecretValue(ctx, in)
	var none *secretstypes.ResourceNotFoundException
	if errors.As(err, &none) {
		return false, nil
	}
	return err == nil && aws.ToString(out.VersionId) == version, err
}
