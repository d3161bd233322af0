package doctor

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"alboidc.internal/shared/clientsfile"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/journal"
)

// checkSecrets looks at the client's secret, the provider's credentials and the synthetic users, none of which it
// reads. It returns the customer managed keys, by the ARNs of the secrets.
func (d *Doctor) checkSecrets(ctx context.Context, r *report, c config.Client,
	record journal.Record) map[string]string {
	keys := map[string]string{}
	arns := append([]string{c.Secret.ARN}, clientsfile.Client{Client: c}.AdminSecrets()...)
	arns = append(arns, clientsfile.Client{Client: c}.UserSecrets()...)
	slices.Sort(arns[1:])
	for i, arn := range slices.Compact(arns) {
		region := config.RegionOf(arn)
		out, err := secretsmanager.NewFromConfig(d.System.AWS(region)).DescribeSecret(ctx,
			&secretsmanager.DescribeSecretInput{SecretId: &arn})
		if !r.unless(err, "secrets", "the secret "+arn, "the secret "+arn+" does not exist",
			"correct its ARN in clients.yaml, then make deploy") {
			continue
		}
		if out.DeletedDate != nil {
			r.add(Error, "secrets", "aws secretsmanager restore-secret --region "+region+" --secret-id "+arn,
				"the secret %s is marked for deletion", arn)
		}
		if key := aws.ToString(out.KmsKeyId); key != "" {
			if arn := d.checkKey(ctx, r, key, region); arn != "" {
				keys[aws.ToString(out.ARN)] = arn
			}
		}
		if i == 0 {
			d.checkLabels(r, c, record, out)
		}
	}
	return keys
}

// checkLabels looks at the versions of the client's secret, and at who else writes it.
func (d *Doctor) checkLabels(r *report, c config.Client, record journal.Record,
	out *secretsmanager.DescribeSecretOutput) {
	current, pending := "", ""
	for version, labels := range out.VersionIdsToStages {
		if slices.Contains(labels, "AWSCURRENT") {
			current = version
		}
		if slices.Contains(labels, "AWSPENDING") {
			pending = version
		}
	}
	region := config.RegionOf(c.Secret.ARN)
	switch {
	case current == "":
		r.add(Error, "secrets", "rotator adopt "+c.Name+" --prompt",
			"nobody has stored the client secret yet: %s has no AWSCURRENT", c.Secret.ARN)
	case pending != "" && pending != current && record.Owner == "" && c.IdentityProvider.Type != "manual":
		r.add(Warning, "versions", "rotator start "+c.Name,
			"version %s is AWSPENDING, and no rotation runs: the next one "+
				"puts that right first", pending)
	}
	if aws.ToBool(out.RotationEnabled) {
		r.add(Error, "secrets", "aws secretsmanager cancel-rotate-secret --region "+region+" --secret-id "+c.Secret.ARN,
			"Secrets Manager rotates %s by itself, and knows nothing of load balancers: rotations are refused",
			c.Secret.ARN)
	}
	if service := aws.ToString(out.OwningService); service != "" {
		r.add(Error, "secrets", "name a secret of your own in secret.arn, then make deploy",
			"%s belongs to the AWS service %s: rotations are refused", c.Secret.ARN, service)
	}
	if primary := aws.ToString(out.PrimaryRegion); primary != "" && primary != region {
		r.add(Error, "secrets", "name the primary in secret.arn, then make deploy",
			"%s is a replica of a secret in Region %s: rotations are refused", c.Secret.ARN, primary)
	}
}

// checkKey looks at a secret's key, and returns its ARN; "" if it is not known.
func (d *Doctor) checkKey(ctx context.Context, r *report, key, region string) string {
	out, err := kms.NewFromConfig(d.System.AWS(region)).DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &key})
	if !r.unless(err, "keys", "the key "+key, "the key "+key+" does not exist", "encrypt the secret with another: "+
		"aws secretsmanager update-secret --region "+region+" --kms-key-id KEY --secret-id SECRET") {
		return ""
	}
	m := out.KeyMetadata
	r.tellState(m, key, region)
	if m.KeyManager != kmstypes.KeyManagerTypeCustomer {
		return "" // everybody who may read the secret may use it
	}
	return aws.ToString(m.Arn)
}

// tellState reports a key that cannot be used.
func (r *report) tellState(m *kmstypes.KeyMetadata, key, region string) (usable bool) {
	switch m.KeyState {
	case kmstypes.KeyStateEnabled:
		return true
	case kmstypes.KeyStatePendingDeletion:
		r.add(Error, "keys", "aws kms cancel-key-deletion --region "+region+" --key-id "+key+
			", then aws kms enable-key likewise", "the key %s is about to be deleted", key)
	default:
		r.add(Error, "keys", "aws kms enable-key --region "+region+" --key-id "+key,
			"the key %s is %s", key, m.KeyState)
	}
	return false
}
