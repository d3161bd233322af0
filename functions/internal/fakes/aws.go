package fakes

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"alboidc.internal/shared/awstest/awsapi"
	ddbtest "alboidc.internal/shared/awstest/dynamodb"
	smtest "alboidc.internal/shared/awstest/secretsmanager"
	ssmtest "alboidc.internal/shared/awstest/ssm"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/journal"
)

// services are Secrets Manager, DynamoDB and Parameter Store.
type services struct {
	world     *World
	server    *awsapi.Server
	documents []string // every document of the journal that a function has sent
}

// addAWS adds the client's secret with its current value, the journal's table, and Parameter Store.
func (w *World) addAWS(current string) {
	now := worldClock{Real: clock.Real{}, w: w}
	service := smtest.New(now)
	w.aws = &services{world: w, server: awsapi.NewServer(now, nil, service, ddbtest.New(now), ssmtest.New(now))}
	past := awsapi.Config(w.aws.server, home)
	w.Secrets = &SecretsManager{Service: service, t: w.t, wire: w.Wire, aws: w.aws}
	w.Secrets.Add(Old, current, "AWSCURRENT")
	w.Journal = &DynamoDB{t: w.t, api: dynamodb.NewFromConfig(past)}
	w.Journal.createTable()
	w.Journal.SetOwner(Execution)
	w.Params = &SSM{t: w.t, api: ssm.NewFromConfig(past)}
}

// worldClock tells the world's time.
type worldClock struct {
	clock.Real
	w *World
}

// Now implements clock.Clock.
func (c worldClock) Now() time.Time { return c.w.Now }

// request names a request of a function, and tells whether it is a write that tests count. A write of the journal is
// named by the states of the secrets in the document, and by its promotion.
func (a *services) request(r *http.Request, body string) (name string, writes bool) {
	var in struct {
		ClientRequestToken, SecretString                   string
		VersionStage, RemoveFromVersionID, MoveToVersionID string
		ConsistentRead                                     bool
		ExpressionAttributeValues                          map[string]struct{ S string }
	}
	if err := json.Unmarshal([]byte(body), &in); err != nil {
		a.world.t.Errorf("a request is not JSON: %v", err)
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch operation {
	case "PutSecretValue":
		a.world.Secrets.seen = append(a.world.Secrets.seen, in.SecretString)
		return operation + " " + in.ClientRequestToken, true
	case "UpdateSecretVersionStage":
		return in.VersionStage + " " + in.RemoveFromVersionID + ">" + in.MoveToVersionID, true
	case "GetItem":
		if !in.ConsistentRead {
			a.world.t.Error("the journal is not read consistently")
		}
	case "UpdateItem":
		return a.update(in.ExpressionAttributeValues)
	}
	return operation, false
}

func (a *services) update(values map[string]struct{ S string }) (name string, writes bool) {
	if _, ok := values[":at"]; ok {
		return "note", false
	}
	if _, ok := values[":proven"]; ok {
		return "proof", false
	}
	if _, ok := values[":marked"]; ok {
		return "marks", false
	}
	doc := values[":state"].S
	a.documents = append(a.documents, doc)
	var j journal.Journal
	if err := json.Unmarshal([]byte(doc), &j); err != nil {
		a.world.t.Errorf("the journal's document is not JSON: %v", err)
	}
	return "journal " + summary(j), true
}

// summary is a journal in one line: "version-new:intended version-old:live".
func summary(j journal.Journal) string {
	var parts []string
	for _, v := range slices.Sorted(maps.Keys(j.Secrets)) {
		parts = append(parts, v+":"+string(j.Secrets[v].State))
	}
	if p := j.Promotion; p != nil {
		moved := "intended"
		if !p.GraceUntil.IsZero() {
			moved = "done"
		}
		parts = append(parts, "promotion:"+moved)
	}
	return strings.Join(parts, " ")
}
