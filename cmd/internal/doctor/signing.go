package doctor

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/clientsfile"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/idp/registry"
)

// places are where the public key of the rotator's own client is registered, by the provider's type.
var places = map[string]string{
	"okta":  "admin console, Applications, the service app, General, Client Credentials, Add key",
	"entra": "Entra admin center, App registrations, the rotator's own, Certificates & secrets, Certificates",
	"auth0": "dashboard, Applications, the rotator's own, Credentials, Private Key JWT, in PEM; keyId is what " +
		"it then shows",
	"keycloak": "admin console, Clients, the rotator's own, Keys, Import, as a JSON Web Key Set {\"keys\": […]}",
	"pingone": "admin console, Applications, the rotator's own, Overview, token endpoint authentication Private " +
		"Key JWT, JWKS",
}

// checkSigning looks at the KMS keys that sign for the rotator's own client, and shows what is to be registered of
// each. It signs nothing.
func (d *Doctor) checkSigning(ctx context.Context, r *report, c config.Client) {
	for _, k := range (clientsfile.Client{Client: c}).SigningKeys() {
		region := config.RegionOf(k.KeyARN)
		api := kms.NewFromConfig(d.System.AWS(region))
		out, err := api.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &k.KeyARN})
		if !r.unless(err, "keys", "the key "+k.KeyARN, "the key "+k.KeyARN+" does not exist",
			"correct "+k.Field+" in clients.yaml, then make deploy") ||
			!r.tellState(out.KeyMetadata, k.KeyARN, region) {
			continue
		}
		algorithm := cmp.Or(k.Algorithm, clientcredentials.RS256)
		if k.SHA256 != "" {
			algorithm = clientcredentials.PS256
		}
		// a key of another curve signs by the same algorithm, and no provider takes that
		if m := out.KeyMetadata; m.KeyUsage != kmstypes.KeyUsageTypeSignVerify ||
			!strings.Contains(clientcredentials.Specs(algorithm), string(m.KeySpec)) ||
			!slices.Contains(m.SigningAlgorithms, clientcredentials.Algorithms[algorithm]) {
			r.add(Error, "keys", "name a key of usage SIGN_VERIFY and spec "+clientcredentials.Specs(algorithm)+" in "+
				k.Field+", then make deploy", "the key %s, of usage %s and spec %s, cannot sign by %s", k.KeyARN,
				m.KeyUsage, m.KeySpec, algorithm)
			continue
		}
		public, err := clientcredentials.PublicKey(ctx, d.System.AWS(region), k.KeyARN)
		if r.unless(err, "keys", "the public key of "+k.KeyARN, "", "") {
			r.tellPublic(c.IdentityProvider.Type, k, public)
		}
	}
}

// tellCredentialEnd tells when the rotator's own credential ends, or that nobody is told before it does.
func (r *report) tellCredentialEnd(c config.Client, now time.Time) {
	switch end := registry.CredentialEnd(c.IdentityProvider.Type, c.IdentityProvider.Settings); {
	case end.Field == "":
	case end.At.IsZero():
		r.add(Note, "credential",
			"set "+end.Field+" in clients.yaml to the time that the identity provider shows, such "+
				"as 2027-01-31T00:00:00Z, then make deploy",
			"the rotator's own credential at the identity provider ends "+
				"some day, and no time is configured: nobody is told before")
	case !now.Before(end.At):
		r.add(Error, "credential", "register another one, and correct "+end.Field, "%s", end.Tell(now, 0))
	case end.Tell(now, month) != "":
		r.add(Warning, "credential", "register another one, and correct "+end.Field, "%s", end.Tell(now, month))
	}
}

// month is how long before the end of a credential somebody should look.
const month = 30 * 24 * time.Hour

// tellPublic shows what is to be registered, and where.
func (r *report) tellPublic(vendor string, k clientsfile.SigningKey, public any) {
	place := cmp.Or(places[vendor], "at the rotator's own client")
	if k.SHA256 != "" {
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			return // it was read from that form
		}
		r.add(Note, "keys", "rotator key "+k.KeyARN+" --certificate makes one",
			"client %s is known by a certificate of "+
				"the key %s, whose public key has the SHA-256 %x; it is registered there: %s", k.ClientID, k.KeyARN,
			sha256.Sum256(der), place)
		return
	}
	kid := clientcredentials.KeySettings{KeyPlace: clientcredentials.KeyPlace{KeyARN: k.KeyARN}, KeyID: k.KeyID}.ID()
	jwk, err := clientcredentials.JWK(public, kid)
	if err != nil {
		r.add(Error, "keys", "name another key in "+k.Field, "the key %s cannot be registered: %v", k.KeyARN, err)
		return
	}
	r.add(Note, "keys", "compare it with what is registered there: "+place, "client %s is known by this public key: %s",
		k.ClientID, jwk)
}
