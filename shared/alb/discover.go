package alb

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/rotation"
)

// Found is what was found on the load balancers.
type Found struct {
	// Targets are the actions with a client id and a name of the registration, ordered by load balancer (the given
	// ones, then the found ones by Region and ARN), port and priority, with the default action last.
	Targets []rotation.Target
	// Follows are the rules that controllers own and that are left to them, each with its controller; Owned are the
	// same, as they are written if they must be.
	Follows []string
	Owned   []rotation.Target
	// Warnings name what will put an old secret back if nobody acts, and what uses the client but is not rotated. They
	// do not stop a rotation.
	Warnings []string
	// Refusals are why the client must not be rotated.
	Refusals []string
	// Drifted are those refusals that are about an action that uses the client, but cannot be given its secret.
	Drifted []string
	// Left are the load balancers, by ARN, that were searched only because of earlier configurations or targets.
	Left map[string]bool
	// ClientIDs are the client ids that the targets have, by their keys.
	ClientIDs map[string]string
	// Tags are digests of the tags of the targets and of what they are on, by their keys.
	Tags map[string]string
	// Canaries are the targets that a tag makes canaries, by their keys.
	Canaries map[string]bool
}

// Targets searches load balancers and changes nothing. A listener or rule that vanishes during the search is
// Unavailable: the next search will not find it.
func (b *Balancers) Targets(ctx context.Context, where Where, want Registration) (Found, error) {
	p := &patience{Balancers: b, reserve: afterSearch}
	p.begun.Store(where.Once)
	places, warnings, err := p.find(ctx, where)
	if err != nil {
		return Found{}, err
	}
	found := Found{Warnings: warnings, ClientIDs: map[string]string{}, Left: map[string]bool{},
		Tags: map[string]string{}, Canaries: map[string]bool{}}
	planned := map[string]string{}
	for _, t := range where.Known {
		planned[t.Key()] = t.Tags
	}
	searches, err := p.searchAll(ctx, places, want, planned)
	if err != nil {
		return Found{}, err
	}
	for i, s := range searches {
		found.Left[places[i].arn] = places[i].left
		found.Targets = append(found.Targets, s.found.Targets...)
		found.Follows = append(found.Follows, s.found.Follows...)
		found.Owned = append(found.Owned, s.found.Owned...)
		found.Warnings = append(found.Warnings, s.found.Warnings...)
		found.Refusals = append(found.Refusals, s.found.Refusals...)
		found.Drifted = append(found.Drifted, s.found.Drifted...)
		maps.Copy(found.ClientIDs, s.clientIDs)
		maps.Copy(found.Tags, s.tags)
		maps.Copy(found.Canaries, s.canaries)
	}
	return found, nil
}

const (
	// atOnce is how many load balancers are searched at once: one after the other, many would take longer than a call
	// may. AWS publishes no limit of the Describe calls.
	atOnce = 5
	// mostAtOnce is how many it becomes while a search takes longer than slow, which is some four requests of a second
	// each: the requests per second stay few, and a hundred load balancers are searched in time.
	mostAtOnce = 40
	slow       = 4 * time.Second
	// afterSearch is the time that a call needs after its search, to ask the identity provider.
	afterSearch = 30 * time.Second
)

// searches is the search of several load balancers.
type searches struct {
	*patience
	places  []searched
	want    Registration
	planned map[string]string
	workers sync.WaitGroup
	cancel  context.CancelFunc

	mu      sync.Mutex
	next    int // of places
	running int
	done    []*search
	err     error // the first
	since   time.Time
}

// searchAll searches several load balancers, and gives the first error that it meets, or, if the time is over, that of
// the load balancer which it has waited for longest.
func (p *patience) searchAll(ctx context.Context, places []searched, want Registration,
	planned map[string]string) ([]*search, error) {
	outer := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	all := &searches{patience: p, places: places, want: want, planned: planned, cancel: cancel,
		running: min(atOnce, len(places)), done: make([]*search, len(places))}
	for range all.running {
		all.workers.Go(func() { all.work(ctx, outer) })
	}
	all.workers.Wait()
	return all.done, cmp.Or(all.err, outer.Err())
}

// work searches one load balancer after the other until there is none left. Where that takes long, it gets a companion.
// outer ends when the time is over, ctx also when a search has failed.
func (a *searches) work(ctx, outer context.Context) {
	for i, ok := a.take(); ok && ctx.Err() == nil; i, ok = a.take() {
		began := a.now()
		s, err := a.searchOne(ctx, a.places[i], a.want, a.planned)
		a.mu.Lock()
		if a.done[i] = s; err != nil && (a.err == nil || outer.Err() != nil && began.Before(a.since)) {
			a.err, a.since = err, began
			a.cancel()
		}
		more := a.now().Sub(began) > slow && a.running < mostAtOnce
		if more {
			a.running++
		}
		a.mu.Unlock()
		if more {
			a.workers.Go(func() { a.work(ctx, outer) })
		}
	}
}

func (a *searches) take() (i int, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i, a.next = a.next, a.next+1
	return i, i < len(a.places)
}

// searchOne searches a load balancer.
func (p *patience) searchOne(ctx context.Context, place searched, want Registration,
	planned map[string]string) (*search, error) {
	lb, err := parseBalancer(place.arn)
	if err != nil {
		return nil, err
	}
	s := &search{api: p.reader(lb.account, lb.region), lb: lb, named: place.named, want: want, planned: planned,
		clientIDs: map[string]string{}, tags: map[string]string{}, canaries: map[string]bool{},
		actions: map[string][]types.Action{},
		leave:   want.LeavesToControllers, unknown: unknownElements{}}
	return s, s.run(ctx)
}

// search is the search of one load balancer.
type search struct {
	api API
	lb  balancer
	// named: the load balancer is listed in the configuration.
	named bool
	want  Registration
	// planned are the tags of targets that were found before, by their keys, as in rotation.Target.
	planned map[string]string
	found   Found
	// clientIDs, tags and canaries are this load balancer's part of Found.
	clientIDs, tags map[string]string
	canaries        map[string]bool
	// actions are those of the targets, by their keys.
	actions map[string][]types.Action
	// leave: rules that controllers own are left to them.
	leave bool
	// unknown are elements of actions that were read, but cannot be written.
	unknown unknownElements
}

func (s *search) run(ctx context.Context) error {
	listeners, err := s.listeners(ctx)
	if missing(err) {
		if s.named { // else it and its targets are gone since it was found
			s.found.Refusals = append(s.found.Refusals, fmt.Sprintf(
				"%s does not exist: remove it from loadBalancers, or correct the ARN", s.lb.arn))
		}
		return nil
	}
	if err != nil {
		return awserr.Wrap(err, "listing the listeners of %s", s.lb.name)
	}
	for _, l := range listeners {
		rules, err := s.rules(ctx, aws.ToString(l.ListenerArn))
		if err != nil {
			return asUnavailable(err, "listing the rules of %s :%d", s.lb.name, aws.ToInt32(l.Port))
		}
		for _, r := range rules {
			s.consider(l, aws.ToString(r.RuleArn), "rule "+aws.ToString(r.Priority), r.Actions)
		}
		s.consider(l, "", "default", l.DefaultActions)
	}
	if len(s.found.Targets) == 0 {
		return nil
	}
	return s.owners(ctx)
}

// listeners reads all listeners, by port.
func (s *search) listeners(ctx context.Context) ([]types.Listener, error) {
	var out []types.Listener
	in := &elasticloadbalancingv2.DescribeListenersInput{LoadBalancerArn: &s.lb.arn}
	for {
		page, err := s.api.DescribeListeners(ctx, in, s.unknown.collect)
		if err != nil {
			return nil, err
		}
		out = append(out, page.Listeners...)
		if aws.ToString(page.NextMarker) == "" {
			break
		}
		in.Marker = page.NextMarker
	}
	slices.SortStableFunc(out, func(a, b types.Listener) int {
		return cmp.Or(cmp.Compare(aws.ToInt32(a.Port), aws.ToInt32(b.Port)),
			cmp.Compare(aws.ToString(a.ListenerArn), aws.ToString(b.ListenerArn)))
	})
	return out, nil
}

// rules reads a listener's rules by priority, without the default rule: its actions are the listener's default actions,
// and only ModifyListener can change them (API reference, ModifyRule: OperationNotPermitted).
func (s *search) rules(ctx context.Context, listener string) ([]types.Rule, error) {
	var out []types.Rule
	in := &elasticloadbalancingv2.DescribeRulesInput{ListenerArn: &listener}
	for {
		page, err := s.api.DescribeRules(ctx, in, s.unknown.collect)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Rules {
			if !aws.ToBool(r.IsDefault) {
				out = append(out, r)
			}
		}
		if aws.ToString(page.NextMarker) == "" {
			break
		}
		in.Marker = page.NextMarker
	}
	slices.SortStableFunc(out, func(a, b types.Rule) int {
		return cmp.Or(cmp.Compare(priority(a), priority(b)), cmp.Compare(aws.ToString(a.RuleArn),
			aws.ToString(b.RuleArn)))
	})
	return out, nil
}

func priority(r types.Rule) int {
	n, err := strconv.Atoi(aws.ToString(r.Priority))
	if err != nil {
		return 0 // the API's priorities are 1 to 50000 or "default"; the order is then by ARN
	}
	return n
}

// consider adds the actions of one rule or default action, if one of them uses the client.
func (s *search) consider(l types.Listener, rule, what string, actions []types.Action) {
	t := rotation.Target{Region: s.lb.region, LoadBalancerARN: s.lb.arn, ListenerARN: aws.ToString(l.ListenerArn),
		RuleARN: rule,
		Name:    fmt.Sprintf("%s :%d %s", s.lb.name, aws.ToInt32(l.Port), what)}
	for _, a := range actions {
		s.refuseCognito(t.Name, a)
		o := a.AuthenticateOidcConfig
		if a.Type != types.ActionTypeEnumAuthenticateOidc || o == nil {
			continue
		}
		if doubt := s.want.explainDoubt(o); doubt != "" {
			s.addDrift("%s %s", t.Name, doubt)
		}
		if s.want.uses(o) {
			s.found.Targets = append(s.found.Targets, t)
			s.actions[t.Key()] = actions
		}
	}
}

// reviewTarget looks at what a target logs in with.
func (s *search) reviewTarget(t rotation.Target) {
	for _, a := range s.actions[t.Key()] {
		if o := a.AuthenticateOidcConfig; o != nil && s.want.uses(o) {
			s.clientIDs[t.Key()] = aws.ToString(o.ClientId)
			s.warnOfUserInfo(t.Name, o)
			s.warnOfDenial(t.Name, o)
			s.reviewWrite(t, s.actions[t.Key()])
		}
	}
}

// reviewWrite tells what a write of the target's actions would damage, and what it may undo.
func (s *search) reviewWrite(t rotation.Target, actions []types.Action) {
	if damage := s.want.describeDamage(s.unknown[cmp.Or(t.RuleARN, t.ListenerARN)], actions); damage != "" {
		s.found.Refusals = append(s.found.Refusals, t.Name+" "+damage)
	}
	for _, a := range actions {
		if f := a.ForwardConfig; f != nil && len(f.TargetGroups) > 1 {
			s.found.Warnings = append(s.found.Warnings, fmt.Sprintf("%s forwards to %d target groups by weight: if a "+
				"deployment (Amazon ECS, CodeDeploy) moves the weights in the moment in which the secret is set, one "+
				"of the two changes is lost; rotate when none runs (docs/guarantees.md#other-hands-on-the-same-rule)",
				t.Name, len(f.TargetGroups)))
		}
	}
}

// warnOfUserInfo warns of an action whose user info endpoint is not that of the name by which it reaches the provider.
func (s *search) warnOfUserInfo(target string, o *types.AuthenticateOidcActionConfig) {
	got := aws.ToString(o.UserInfoEndpoint)
	if want := s.want.name(o).UserInfoEndpoint; want != "" && !config.SameURL(want, got) {
		s.found.Warnings = append(s.found.Warnings,
			fmt.Sprintf("%s has user info endpoint %q, but its alias says %q: correct one of them", target, got, want))
	}
}

// warnOfDenial warns of a pair's target that answers 401 where others lead to a login.
func (s *search) warnOfDenial(target string, o *types.AuthenticateOidcActionConfig) {
	if len(s.want.ClientIDs) > 1 &&
		o.OnUnauthenticatedRequest == types.AuthenticateOidcActionConditionalBehaviorEnumDeny {
		s.found.Warnings = append(s.found.Warnings,
			fmt.Sprintf("%s answers requests without a session with HTTP 401 (OnUnauthenticatedRequest: deny), and "+
				"sessions cannot be refreshed after the switch to the other registration of the pair: as each access "+
				"token expires its users get 401 there until they open a page that logs them in; see that the "+
				"application sends them to one", target))
	}
}

func (s *search) addDrift(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.found.Refusals, s.found.Drifted = append(s.found.Refusals, text), append(s.found.Drifted, text)
}

// refuseCognito refuses a rotation if an action logs in with the client by authenticate-cognito. Such an action names
// an app client of a user pool, and the load balancer gets the secret from Amazon Cognito (API reference,
// AuthenticateCognitoActionConfig); when it does so again after a change is not documented.
func (s *search) refuseCognito(target string, a types.Action) {
	c := a.AuthenticateCognitoConfig
	if a.Type != types.ActionTypeEnumAuthenticateCognito || c == nil ||
		!slices.Contains(s.want.ClientIDs, aws.ToString(c.UserPoolClientId)) {
		return
	}
	s.found.Refusals = append(s.found.Refusals,
		fmt.Sprintf("%s logs in with app client %s by authenticate-cognito: such an action carries no "+
			"client secret and is not rotated, and its logins may fail once the old secret is removed, because AWS "+
			"does not say when the load balancer reads the new one from Cognito; make it an authenticate-oidc action "+
			"with the pool's endpoints, or give it an app client of its own",
			target, aws.ToString(c.UserPoolClientId)))
}

// asUnavailable returns an error about something that is gone as Unavailable.
func asUnavailable(err error, format string, args ...any) error {
	if missing(err) {
		return awserr.As(failure.Unavailable, err, format, args...)
	}
	return awserr.Wrap(err, format, args...)
}
