// Command verify-live measures in an AWS account what only an account can tell, and removes what it has made for it.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"alboidc.internal/local/verify"
	"alboidc.internal/shared/clock"
)

func main() {
	out := flag.String("out", ".build/verify-live", "the folder of the report")
	template := flag.Bool("template", false, "print the CloudFormation template, and do nothing")
	flag.Parse()
	if *template {
		fmt.Print(verify.Template())
		return
	}
	// A terminal that is closed, and a reader of the output that ends first (| tee), must not keep it from removing.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends this program, and leaves the stack
	if err := run(ctx, *out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out string) error {
	settings, err := verify.ReadSettings(os.Getenv)
	if err != nil {
		return err
	}
	c, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(settings.Region))
	if err != nil {
		return err
	}
	who, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return fmt.Errorf("asking whose credentials these are: %w", err)
	}
	if settings.From == "" {
		if settings.From, err = ownAddress(ctx); err != nil {
			return fmt.Errorf("finding this machine's address on the Internet: %w; give it: VERIFY_FROM=203.0.113.7/32",
				err)
		}
	}
	m := &verify.Run{Settings: settings, Account: aws.ToString(who.Account), Clock: clock.Real{}, Out: os.Stdout,
		Confirm: ask, Nodes: resolve, Transport: &http.Transport{}, Clients: verify.Clients{
			Stacks: stacks{cloudformation.NewFromConfig(c)}, ELB: elb.NewFromConfig(c),
			Secrets: secretsmanager.NewFromConfig(c), Parameters: ssm.NewFromConfig(c),
			Metrics: cloudwatch.NewFromConfig(c), Trail: cloudtrail.NewFromConfig(c), States: sfn.NewFromConfig(c)}}
	if err := m.Certify(time.Now()); err != nil {
		return err
	}
	report, failed := m.Do(ctx)
	if len(report.Findings) > 0 || report.Left != "" {
		fmt.Printf("\n%s\n%s/report.md\n", report.Markdown(), out)
		failed = errors.Join(failed, report.Write(out))
	}
	return failed
}

// resolve finds the addresses of a load balancer's nodes.
func resolve(ctx context.Context, r *verify.Resources) ([]string, error) {
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", r.Host)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, a := range addresses {
		out = append(out, net.JoinHostPort(a.String(), "443"))
	}
	return out, nil
}

// ownAddress asks AWS which address a request of this machine comes from.
func ownAddress(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://checkip.amazonaws.com/", nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(res.Body, 100))
	ip := net.ParseIP(strings.TrimSpace(string(b)))
	if err != nil || ip.To4() == nil {
		return "", errors.Join(errors.New("it has no IPv4 address"), err)
	}
	return ip.String() + "/32", nil
}

func ask(question string) bool {
	fmt.Printf("%s Type yes: ", question)
	line, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	return strings.TrimSpace(line) == "yes"
}
