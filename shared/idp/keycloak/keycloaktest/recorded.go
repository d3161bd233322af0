package keycloaktest

// Answer is an answer of the admin API to a request "METHOD PATH BODY", below a realm. ID stands for a client's id, and
// CLIENT for its client id.
type Answer struct {
	Request string
	Status  int
	// Begins is how the body begins.
	Begins string
}

// Recorded returns answers of a real server (26.7.3) about a client that has one secret. The imitation is compared with
// them in this repository's tests, and a real server in local/live.
func Recorded() []Answer {
	return []Answer{
		{"GET /clients?clientId=nobody", 200, `[]`},
		{"GET /clients/nobody/client-secret", 404, `{"error":"Could not find client"}`},
		{"GET /clients/ID/client-secret", 200, `{"type":"secret","value":"`},
		{"GET /clients/ID/client-secret/rotated", 404, `{"error":"Client does not have a rotated secret"}`},
		{"DELETE /clients/ID/client-secret/rotated", 204, ``},
		{`PUT /clients/ID {"clientId": "CLIENT", "webOrigins": []}`, 204, ``},
		{`PUT /clients/ID {"clientId": "CLIENT", "webOrigins": [], "attributes": {}}`, 204, ``},
		{`PUT /clients/ID {"clientId": "CLIENT", "nonsense": 1}`, 400, `{"error":"`},
		{"POST /clients/ID/client-secret {}", 200, `{"type":"secret","value":"`},
	}
}
