// The identity provider and the application of verify-live, in one function. As a function URL it plays the token and
// the user info endpoint: which client secret a load balancer presented, and how, goes into the claims. As a target of
// the load balancer it shows those claims. It keeps nothing: a secret begins with its label, and only that is told.
const pack = (value) => btoa(JSON.stringify(value)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
const unpack = (text) => JSON.parse(atob(text.replace(/-/g, "+").replace(/_/g, "/").replace(/=/g, "")));
const answer = (statusCode, value) => ({
  statusCode, headers: { "content-type": "application/json", "cache-control": "no-store" }, body: JSON.stringify(value),
});
const decode = (text) => decodeURIComponent(text.replace(/\+/g, " "));

// A form, or the two halves of basic authentication: both are form-encoded (RFC 6749, section 2.3.1).
function credentials(header, form) {
  const posted = form.client_secret !== undefined;
  if (!/^basic /i.test(header)) {
    return { id: form.client_id, secret: form.client_secret || "", how: posted ? "client_secret_post" : "none" };
  }
  const [id, ...secret] = atob(header.slice(6).trim()).split(":");
  return { id: decode(id), secret: decode(secret.join(":")), how: posted ? "both" : "client_secret_basic" };
}

function token(event, issuer) {
  const body = event.isBase64Encoded ? atob(event.body || "") : event.body || "";
  const form = {};
  for (const pair of body.split("&")) {
    const at = pair.indexOf("=");
    if (at > 0) form[decode(pair.slice(0, at))] = decode(pair.slice(at + 1));
  }
  const { id, secret, how } = credentials(event.headers.authorization || "", form);
  const label = secret.split(".")[0];
  if (!/^s[0-9]+$/.test(label)) return answer(401, { error: "invalid_client" });
  const now = Math.floor(Date.now() / 1000);
  const claims = { sub: "verify-live", presented: label, how };
  // No load balancer has a key to verify it with: an action names no such endpoint.
  const signature = pack("this is no signature ".repeat(12));
  const idToken = pack({ alg: "RS256", typ: "JWT", kid: "1" }) + "." +
    pack({ iss: issuer, sub: claims.sub, aud: id, iat: now, exp: now + 3600 }) + "." + signature;
  return answer(200, { access_token: pack(claims), id_token: idToken, token_type: "Bearer", expires_in: 3600 });
}

exports.handler = async (event) => {
  event.headers = event.headers || {};
  if (event.requestContext && event.requestContext.elb) {
    const data = (event.headers["x-amzn-oidc-data"] || "").split(".")[1];
    return data ? answer(200, unpack(data)) : answer(403, { error: "nobody is logged in" });
  }
  const issuer = "https://" + event.requestContext.domainName;
  if (event.rawPath === "/token") return token(event, issuer);
  if (event.rawPath === "/userinfo") return answer(200, unpack((event.headers.authorization || "").slice(7)));
  return answer(404, { error: "there is nothing here" });
};
