package entra

import "net/url"

// cloud is one of Microsoft's clouds, which share nothing: an app of one gets no token for another's Microsoft Graph
// (AADSTS900382, AADSTS500011).
type cloud struct{ login, graph string }

var worldwide = cloud{"https://login.microsoftonline.com", "https://graph.microsoft.com"}

// clouds are the others, by the hosts of their authorities (Microsoft Graph docs, "National cloud deployments"; the
// aliases and those of national partners as Microsoft's own libraries have them: MSAL's known authorities, the built-in
// environments of the Graph PowerShell SDK). Graph for the US Department of Defense has an authority in common with the
// rest of the government, and must be set.
var clouds = func() map[string]cloud {
	us := cloud{"https://login.microsoftonline.us", "https://graph.microsoft.us"}
	china := cloud{"https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn"}
	all := map[string]cloud{"login.microsoftonline.us": us, "login.usgovcloudapi.net": us,
		"login.partner.microsoftonline.cn": china, "login.chinacloudapi.cn": china, "sts.chinacloudapi.cn": china}
	for _, country := range []string{"fr", "de", "sg"} {
		all["login.sovcloud-identity."+country] = cloud{"https://login.sovcloud-identity." + country,
			"https://graph.svc.sovcloud." + country}
	}
	return all
}()

// cloudOf is the cloud that the host of an issuer, or of another URL of the authority, belongs to.
func cloudOf(rawURL string) cloud {
	if u, err := url.Parse(rawURL); err == nil {
		if c, known := clouds[u.Hostname()]; known {
			return c
		}
	}
	return worldwide
}
