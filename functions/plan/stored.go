package plan

import (
	"context"
	"fmt"
	"strings"

	"alboidc.internal/functions/invocation"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/versions"
)

// storedRefusals returns the reasons against a rotation that lie in where and how the secret is stored. With a replica,
// not even what an earlier rotation left can be put right.
func storedRefusals(ctx context.Context, s *invocation.Invocation, j *journal.Journal,
	d rotation.Decision) (out []string, err error) {
	keeper := s.Keeper()
	if !d.Makes() {
		return otherKeepers(versions.Keeper{Primary: keeper.Primary}, s.Config.Secret.ARN), nil
	}
	out = otherKeepers(keeper, s.Config.Secret.ARN)
	byHand := s.Capable.MadeByHand() && d.To.VersionID != "" && d.To.VersionID != d.From.VersionID
	err = s.MustFit(ctx, d.From.VersionID, "AWSCURRENT")
	if err == nil && byHand {
		err = s.MustFit(ctx, d.To.VersionID, "AWSPENDING")
	}
	switch {
	case failure.Is(err, failure.Precondition):
		out = append(out, err.Error())
	case err != nil:
		return nil, err
	}
	if s.Capable.MadeByHand() {
		return out, nil // the version is there on purpose
	}
	_, known := j.Secrets[d.To.VersionID]
	if known && d.Action == rotation.Repair {
		return out, nil // it takes the dead one's place
	}
	if !known {
		if known, err = s.Exists(ctx, d.To.VersionID); err != nil {
			return nil, err
		}
	}
	if known {
		out = append(out, fmt.Sprintf("version %s, which this execution would make, was made before, "+
			"by an execution of the same name: its secret must not come back; start an execution with another name",
			d.To.VersionID))
	}
	return out, nil
}

// warnOfStaleID warns of a client id that the next version of a pair would carry over beside the other one's secret.
func warnOfStaleID(ctx context.Context, s *invocation.Invocation, current string) []string {
	stored := s.Config.Secret
	if !s.Config.IsPair() || stored.JSONKey == "" || stored.ClientIDKey != "" {
		return nil
	}
	t, err := s.Store.Text(ctx, current)
	if err != nil {
		return nil // what reads the secret tells
	}
	for _, key := range t.Keys() {
		v, err := t.Secret(key)
		if key != stored.JSONKey && err == nil && s.IsClientID(v) {
			return []string{
				fmt.Sprintf("member %q of AWSCURRENT is a client id of the pair, and the new version would "+
					"have it beside the other one's secret: name it in secret.clientIdKey", key)}
		}
	}
	return nil
}

// otherKeepers returns the reasons against rotating a secret that something else writes, too.
func otherKeepers(k versions.Keeper, arn string) []string {
	var out []string
	if k.Primary != "" {
		out = append(out, refuseReplica(k.Primary, arn))
	}
	if k.Rotated {
		out = append(out, fmt.Sprintf("Secrets Manager rotates the secret by itself (RotationEnabled), "+
			"and knows nothing of load balancers: end that by `aws secretsmanager cancel-rotate-secret --secret-id %s`",
			arn))
	}
	if k.Service != "" {
		out = append(out, fmt.Sprintf("the secret belongs to the AWS service %s (OwningService), "+
			"which may change it at any time: store the client secret in a secret of your own and name that in "+
			"secret.arn", k.Service))
	}
	return out
}

func refuseReplica(primary, arn string) string {
	parts := strings.Split(arn, ":")
	parts[3] = primary // the configuration check has accepted the ARN
	return fmt.Sprintf("secret.arn: %s is a replica, which cannot be written; its primary is in Region %s: name "+
		"that, %s",
		arn, primary, strings.Join(parts, ":"))
}
