// Package plan reads everything and changes nothing: it says what a rotation of a client would find and do, and refuses
// a rotation that could not work.
package plan

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"alboidc.internal/functions/invocation"
	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
)

// Handler is the function.
type Handler struct{ Deps invocation.Deps }

// Handle plans a rotation, finds its targets again, or measures the client.
func (h Handler) Handle(ctx context.Context, in rotation.PlanInput) (rotation.Plan, error) {
	p := &planning{in: in}
	var steps []func(context.Context) error
	switch in.Action {
	case rotation.PlanMeasure:
		measured, err := measure(ctx, h.Deps, in.Common)
		return rotation.Plan{Measured: measured}, err
	case rotation.PlanDiscover:
		steps = []func(context.Context) error{p.checkCurrent, p.search, p.takeOwned, p.rediscover, p.leaveOthers,
			p.follow}
	case rotation.PlanDecide:
		steps = []func(context.Context) error{p.settle, p.search, p.follow, p.decide, p.refuse, p.prove, p.proveNew,
			p.leaveOthers, p.chooseCanaries, p.fill}
		var err error
		if p.request, err = rotation.ParseRequest(in.Request); err != nil {
			return rotation.Plan{}, err
		}
	default:
		return rotation.Plan{}, failure.New(failure.InvalidInput,
			"action: %q is not known: must be decide, discover or measure", in.Action)
	}
	s, err := h.Deps.Open(ctx, in.Common)
	if err != nil {
		return rotation.Plan{}, err
	}
	s.Patient, s.Restores = true, in.Undo // plan's timeout is long enough
	j, err := s.Own(ctx)
	if err != nil {
		return rotation.Plan{}, err
	}
	p.Invocation, p.journal = s, j
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return rotation.Plan{}, err
		}
	}
	return p.out, nil
}

// planning is one call's work. Its steps fill in what they find.
type planning struct {
	*invocation.Invocation
	journal *journal.Journal
	in      rotation.PlanInput
	request rotation.Request
	found   alb.Found
	decided rotation.Decision
	// delay and followed are as in Plan.FollowersSeconds and FollowedAt.
	delay    time.Duration
	followed time.Time
	// mismatch says that the configured authentication method, by which secrets are probed, is not the registered one.
	mismatch string
	// dead says why AWSCURRENT is dead; "" if it is not, or if nobody asked for a repair.
	dead string
	out  rotation.Plan
}

// checkCurrent fails if AWSCURRENT is neither of the rotation's two secrets. A call of an earlier definition does not
// name them.
func (p *planning) checkCurrent(ctx context.Context) error {
	if p.in.From.VersionID == "" || p.in.To.VersionID == "" {
		return nil
	}
	_, _, err := p.ResolveCurrent(ctx, p.in.From.VersionID, p.in.To.VersionID)
	return err
}

// settle waits until no former owner's late write of a target can come after the writes decided here.
func (p *planning) settle(ctx context.Context) error { return p.WaitUntilSettled(ctx, 0) }

// toProve is the time that a repair's plan needs after its search besides what any needs: that a secret is refused is
// proven in a minute and a half where no other is accepted.
const toProve = 75 * time.Second

// search finds the targets.
func (p *planning) search(ctx context.Context) (err error) {
	if end, ok := ctx.Deadline(); ok && p.in.Action == rotation.PlanDecide && p.request.Repair {
		var cancel context.CancelFunc
		ctx, cancel = p.Within(ctx, end.Sub(p.Now())-toProve)
		defer cancel()
	}
	if p.found, err = p.Targets(ctx, p.in.Targets, false); err != nil {
		return err
	}
	if err := p.mustBeFew(); err != nil {
		return err
	}
	p.out = rotation.Plan{Targets: addTags(p.found), Warnings: limit(p.found.Warnings),
		SpreadSeconds: p.Config.Spread(), Checks: []string{}, Steps: []string{},
		Follows: append([]string{}, limit(p.found.Follows)...)}
	return nil
}

// mustBeFew fails if there are more targets than an execution can hold.
func (p *planning) mustBeFew() error {
	if n := len(p.found.Targets); n > rotation.MaxTargets {
		return failure.New(failure.Precondition, "client %s has %d targets, one execution can rotate %d: "+
			"give some of the load balancers a client of their own", p.in.Client, n, rotation.MaxTargets)
	}
	return nil
}

// follow finds out how long followers need, and until when they may have another secret than AWSCURRENT.
func (p *planning) follow(ctx context.Context) (err error) {
	if e, known := p.journal.Secrets[p.Successor(p.in.To.VersionID)]; p.in.Undo && (!known || e.Unused) {
		return nil // no follower has what is about to be removed
	}
	if p.delay, err = p.FollowersDelay(ctx, p.in.Undo); err != nil {
		return err
	}
	p.out.FollowersSeconds = int(p.delay / time.Second)
	if p.followed, err = p.FollowedAt(ctx, p.delay); err == nil && !p.followed.IsZero() {
		p.out.FollowedAt = rotation.Timestamp(p.followed)
	}
	return err
}

// rediscover returns the targets as the next steps need them, and fails if one changed hands.
func (p *planning) rediscover(context.Context) error {
	p.out.Targets, p.out.Notice = markLeft(p.found, p.in)
	return mustStillBeOurs(p.found, p.in.Undo)
}

// refuse fails if anything speaks against the decision, and gives all reasons at once.
func (p *planning) refuse(ctx context.Context) error {
	stored, err := storedRefusals(ctx, p.Invocation, p.journal, p.decided)
	if err != nil {
		return err
	}
	refusals := append(p.decided.Refusals, stored...)
	if p.decided.Makes() {
		more, err := p.rotationRefusals(ctx)
		if err != nil {
			return err
		}
		refusals = append(refusals, more...)
	}
	if p.decided.Unlisted {
		if err := p.prove(ctx); failure.Is(err, failure.SecretRefused) {
			return err
		}
	}
	if len(refusals) > 0 {
		return failure.New(failure.Precondition, "client %s cannot be rotated, no new secret was made: %s (%s)",
			p.Config.Name, strings.Join(refusals, "; "), formatProvider(p.out.Provider))
	}
	return nil
}

// rotationRefusals returns the reasons against a new secret, at the targets and at the identity provider, and adds the
// warnings to the plan.
func (p *planning) rotationRefusals(ctx context.Context) ([]string, error) {
	refusals := append(slices.Clone(p.found.Refusals), refuseUnneeded(p.Invocation)...)
	told, err := review(ctx, p.Invocation, p.decided, &p.out)
	if err != nil {
		return nil, err
	}
	refusals = append(append(refusals, p.pairRefusals()...), told.Refusals...)
	p.mismatch = otherMethod(p.Invocation, told)
	p.out.Warnings = append(p.out.Warnings, warnOfStaleID(ctx, p.Invocation, p.decided.From.VersionID)...)
	targets := len(p.found.Targets)
	switch {
	case told.Ended != "" && p.dead == "":
		refusals, p.decided.Unlisted = append(refusals, told.Ended), true
	case p.dead == "":
		p.out.Warnings = slices.Concat(p.out.Warnings, warnOfOpenLogins(p.Config, targets), warnOfHoldUps(p.Config),
			warnOfFollowers(p.Config))
		if ends := credentialEnds(p.Invocation, soon); ends != "" {
			p.out.Warnings = append(p.out.Warnings, ends)
		}
	case p.mismatch != "": // that may be why AWSCURRENT is refused
		refusals = append(refusals, p.mismatch)
	}
	if usesNothing(p.Config, p.found) {
		refusals = append(refusals, refuseNoTargets(p.Invocation, p.found)...)
	}
	return refusals, nil
}

// prove fails unless the identity provider accepts the current secret. A rollback needs no proof if the journal knows
// that secret: only decisions about an unknown one rest on it.
func (p *planning) prove(ctx context.Context) error {
	if p.dead != "" {
		p.out.Checks = append(p.out.Checks, "the identity provider refuses the current client secret: "+p.dead)
		return nil
	}
	version := currentVersion(p.decided)
	if _, known := p.journal.Secrets[version]; known && p.decided.Action == rotation.Rollback {
		return p.mustNotBeDead(ctx, version)
	}
	switch err := p.MustAccept(ctx, version, "the current client secret"); {
	case err != nil && p.mismatch != "":
		return failure.Wrap(failure.KindOf(err), err, "%s", p.mismatch)
	case err != nil:
		return err
	case p.mismatch != "":
		p.out.Warnings = append(p.out.Warnings, p.mismatch)
	}
	if p.decided.Action == rotation.Rotate {
		if err := p.MustBeSendable(ctx, version, "AWSCURRENT"); err != nil {
			return err
		}
	}
	p.out.Checks = append(p.out.Checks,
		"the identity provider accepts the current client secret, and refuses a wrong one")
	return nil
}

// mustNotBeDead fails if what a rollback would go back to is refused while another secret is accepted, and is so still
// a minute later: it would stop at that, with the lock held. That is how a repair is found that was stopped before it
// moved AWSCURRENT; another repair goes on with what it made. What a rotation itself has ended is no such find: it
// comes back into its slot, or is switched on, which happens after a promotion only.
func (p *planning) mustNotBeDead(ctx context.Context, version string) error {
	promoted := p.journal.Promotion
	if p.Capable.ReplacesInPlace() || promoted != nil && promoted.To == p.decided.To.VersionID && !promoted.Repair {
		return nil
	}
	p.Patient = false // the admin API alone proves nothing here
	defer func() { p.Patient = true }()
	began := p.Now() // slow answers count: the call's time is limited
	for n := 0; ; n++ {
		err := p.MustAccept(ctx, version, "the secret to go back to")
		switch {
		case !failure.Is(err, failure.SecretRefused):
			return nil
		case n > 0:
			return err
		}
		if err := p.Sleep(ctx, max(0, began.Add(time.Minute).Sub(p.Now()))); err != nil {
			return failure.Wrap(failure.Unavailable, err, "waiting to ask for the secret to go back to again")
		}
	}
}

// proveNew fails unless the identity provider accepts the new secret that a person has stored.
func (p *planning) proveNew(ctx context.Context) error {
	if _, known := p.journal.Secrets[p.decided.To.VersionID]; !p.Capable.MadeByHand() || !p.decided.Makes() || known {
		return nil
	}
	if err := mustBeNew(ctx, p.Invocation, p.decided); err != nil {
		return err
	}
	if err := p.MustAccept(ctx, p.decided.To.VersionID, "the new secret that is stored as AWSPENDING"); err != nil {
		return err
	}
	if err := p.MustBeSendable(ctx, p.decided.To.VersionID, "AWSPENDING"); err != nil {
		return err
	}
	p.out.Checks = append(p.out.Checks, "it accepts the new secret that a person has stored, too")
	return nil
}

// usesNothing reports whether nothing was found where something should be.
func usesNothing(c config.Client, found alb.Found) bool {
	return len(found.Targets) == 0 && len(found.Follows) == 0 && c.HasBalancers()
}

// refuseNoTargets says that nothing uses the client, and repeats the warnings: without a target, they are about the
// places that were searched.
func refuseNoTargets(s *invocation.Invocation, found alb.Found) []string {
	return append(slices.Clone(found.Warnings), fmt.Sprintf("no listener or rule of the configured load balancers "+
		"logs users in with issuer %s and client id %s: check issuer, clientId, loadBalancers and loadBalancerSearch",
		s.Config.Issuer, s.Config.ClientID))
}

// mustBeNew fails if the secret that a person has stored is the one in use: that person would be told to remove it at
// the end.
func mustBeNew(ctx context.Context, s *invocation.Invocation, d rotation.Decision) error {
	same, _, err := s.Same(ctx, d.To.VersionID, d.From.VersionID)
	if err != nil {
		return err
	}
	if same {
		return failure.New(failure.Precondition, "the secret that is stored as AWSPENDING (version %s) is the one in "+
			"use (version %s): make a new one at the identity provider, and store that", d.To.VersionID,
			d.From.VersionID)
	}
	return nil
}

// limit keeps the first warnings of many, and counts the rest in the last.
func limit(warnings []string) []string {
	if n := len(warnings) - rotation.MaxWarnings; n > 0 {
		return append(slices.Clone(warnings[:rotation.MaxWarnings]), fmt.Sprintf("%d more warnings are left out", n))
	}
	return append([]string{}, warnings...)
}

// addTags returns the targets with the digests of their tags, by which a later search sees what has changed.
func addTags(found alb.Found) []rotation.Target {
	targets := append([]rotation.Target{}, found.Targets...)
	for i, t := range targets {
		targets[i].Tags = found.Tags[t.Key()]
	}
	return targets
}

// markLeft returns the targets as the next steps need them, and what people must know of them. Forward, it marks those
// that have had the new secret but whose load balancer has left the configuration: they get it again only if that is
// allowed. In a rollback they must get the old one.
func markLeft(found alb.Found, in rotation.PlanInput) (targets []rotation.Target, notice string) {
	before, names := map[string]bool{}, []string{}
	for _, t := range in.Targets {
		before[t.Key()] = true
	}
	targets = addTags(found)
	for i, t := range targets {
		if !in.Undo && before[t.Key()] && found.Left[t.LoadBalancerARN] {
			targets[i].Left = true
			names = append(names, t.Name)
		}
	}
	if len(names) > 0 {
		notice = fmt.Sprintf("Not in the configuration any more, but with the new secret: %s. If their rights are "+
			"gone, too, nothing puts it on them again.",
			strings.Join(limit(names), ", "))
	}
	return targets, notice
}

// mustStillBeOurs fails if a target changed hands during the rotation: the new secret could not be put on it, and the
// old one would be removed while in use. A rollback stops only for targets that may use the secret it is to remove.
func mustStillBeOurs(found alb.Found, undo bool) error {
	refusals := found.Refusals
	if undo {
		refusals = found.Drifted
	}
	if len(refusals) == 0 {
		return nil
	}
	return failure.New(failure.TargetDrift, "since the rotation began: %s", strings.Join(refusals, "; "))
}

// decide takes the snapshot and decides. A failure also says what speaks against a rotation at the targets.
func (p *planning) decide(ctx context.Context) (err error) {
	if p.decided, err = p.decision(ctx); err != nil {
		return addRefusals(err, p.found.Refusals)
	}
	return p.takeOwned(ctx)
}

// takeOwned adds the rules of controllers to the targets of a rollback. One may have come to its controller while it
// had the new secret; where AWSCURRENT has not moved, no time is known within which the controller puts its own back.
// That is AWSCURRENT, as what the rollback puts on it. The last search takes those that were targets before: what could
// not be restored at once must not be forgotten.
func (p *planning) takeOwned(ctx context.Context) error {
	goes, _ := p.undone()
	owned := p.found.Owned
	if p.in.Undo {
		owned = p.wereTargets(owned)
	}
	if goes == "" || len(owned) == 0 || !p.journal.GivenOut(goes) {
		return nil
	}
	labels, err := p.Labels(ctx)
	if err != nil || !p.journal.Secrets[goes].Unused && labels.Pending != goes {
		return err
	}
	p.found.Targets = append(p.found.Targets, owned...)
	p.out.Targets = addTags(p.found)
	return p.mustBeFew()
}

// undone returns the version that goes and the one that stays, if the call plans a rollback or makes its last search;
// "" otherwise.
func (p *planning) undone() (goes, stays string) {
	switch {
	case p.in.Action == rotation.PlanDiscover && p.in.Undo:
		return p.Successor(p.in.To.VersionID), p.Successor(p.in.From.VersionID)
	case p.decided.Action == rotation.Rollback:
		return p.decided.To.VersionID, p.decided.From.VersionID
	}
	return "", ""
}

// wereTargets returns those of some targets that the call names.
func (p *planning) wereTargets(some []rotation.Target) []rotation.Target {
	return slices.DeleteFunc(slices.Clone(some), func(t rotation.Target) bool {
		return !slices.ContainsFunc(p.in.Targets, func(x rotation.Target) bool { return x.Key() == t.Key() })
	})
}

// looked is how old the look at the labels may be by which is decided.
const looked = 5 * time.Second

// list checks the registration, sees whether AWSCURRENT is dead if a repair is asked for, and lists the secrets.
func (p *planning) list(ctx context.Context) ([]idp.Secret, error) {
	if !p.request.Repair { // which takes minutes to prove that
		ctx = idp.Together(ctx)
	}
	if err := p.Provider.Check(ctx); err != nil {
		return nil, err
	}
	if err := p.mustBeDead(ctx); err != nil {
		return nil, err
	}
	if err := p.LookAgainAfter(ctx, looked); err != nil { // finding the targets may have taken long
		return nil, err
	}
	if err := p.TellProvider(ctx); err != nil {
		return nil, err
	}
	return p.Provider.List(ctx)
}

func (p *planning) decision(ctx context.Context) (rotation.Decision, error) {
	listed, err := p.list(ctx)
	if err != nil {
		return rotation.Decision{}, err
	}
	labels, err := p.Labels(ctx)
	if err != nil {
		return rotation.Decision{}, err
	}
	tellSecrets(&p.out, p.Invocation, p.journal, listed)
	if p.Successor(labels.Pending) == labels.Current { // a person has stored its secret again, as that
		labels.Pending = labels.Current
	}
	s := rotation.Snapshot{Labels: labels, Journal: p.journal, Listed: listed,
		MaxSecrets: p.Capable.MaxSecrets,
		ByHand:     p.Capable.MadeByHand(), SecretARN: p.Config.Secret.ARN, JSONKey: p.Config.Secret.JSONKey,
		CurrentSecretID: p.Config.IdentityProvider.CurrentSecretID, Unreadable: p.Unreadable(),
		NewVersionID: VersionID(nameExecution(p.in)),
		GracePeriod:  time.Duration(p.Config.GracePeriod()) * time.Second, Shorten: p.request.Shorten(), Now: p.Now(),
		ByVersion: !p.Capable.HasIDs(), Ended: p.dead != "",
		Followers: p.delay, Followed: p.followed}
	if s.Ended {
		if s.Replacement, err = p.FindReplacement(ctx, s.Replacements()); err != nil {
			return rotation.Decision{}, err
		}
	}
	d := rotation.Decide(s)
	p.out.Warnings = append(p.out.Warnings, warnOfEnd(listed, d, p.Now())...)
	if p.Config.IsPair() && labels.Current != "" && d.Action != rotation.Finish {
		d.From.ClientID, err = p.ClientID(ctx, d.From)
	}
	return d, err
}

// refuseUnneeded refuses otherRegistrations where a client id has only one registration.
func refuseUnneeded(s *invocation.Invocation) []string {
	if !s.Capable.UniqueIDs || len(s.Config.OtherRegistrations) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("otherRegistrations: must be left out, client ids are unique at this provider (%s): "+
		"what has the client's id under another issuer is another name of it, and belongs into aliases",
		s.Config.IdentityProvider.Type)}
}

// review asks for what only some identity providers tell, and refuses a grace period that the provider cannot honour.
func review(ctx context.Context, s *invocation.Invocation, d rotation.Decision, out *rotation.Plan) (idp.Review,
	error) {
	r, ok := s.Provider.(idp.Reviewer)
	if !ok {
		return idp.Review{}, nil
	}
	told, err := r.Review(ctx)
	if err != nil {
		return told, err
	}
	out.Warnings = append(out.Warnings, told.Warnings...)
	out.Provider.MaxGraceSeconds = int(told.MaxGrace / time.Second)
	if told.MaxGrace > 0 && d.Grace > told.MaxGrace {
		field := "gracePeriodSeconds: the identity provider keeps the old secret for %s only, the grace period is " +
			"%s: shorten it, or have the provider keep it longer"
		if s.Config.FollowersDelay() > told.MaxGrace {
			field = "followers.maxDelaySeconds: the identity provider keeps the old secret for %s only, " +
				"followers may use it for %s: have them follow sooner, or have the provider keep it longer"
		}
		told.Refusals = append(told.Refusals, fmt.Sprintf(field, told.MaxGrace, d.Grace))
	}
	return told, nil
}

// otherMethod says that the configured authentication method, by which secrets are probed, is not the registered one;
// "" if it is. Some providers accept either: the probe of the current secret tells whether it matters.
func otherMethod(s *invocation.Invocation, told idp.Review) string {
	method := s.Config.IdentityProvider.AuthMethod()
	if told.AuthMethod == "" || told.AuthMethod == method {
		return ""
	}
	return fmt.Sprintf("identityProvider.tokenAuthMethod: the client is registered for %s at the identity provider, "+
		"the configuration says %s: set it to %s", told.AuthMethod, method, told.AuthMethod)
}

// currentVersion returns the version that is AWSCURRENT when the decision is made. (In a rollback that puts the old
// secret back at the provider it returns the other one; the journal knows both.)
func currentVersion(d rotation.Decision) string {
	if d.Action == rotation.Finish {
		return d.To.VersionID
	}
	return d.From.VersionID
}

// versionSpace is the namespace of our version ids (a random UUID, chosen once).
var versionSpace = [16]byte{0x5b, 0x0e, 0x3c, 0x9a, 0x41, 0x7d, 0x4f, 0x2b, 0x9c, 0x66, 0x8e, 0x1f, 0xd3, 0x02,
	0xa7, 0x54}

// nameExecution names an execution for good, by its ARN and its start. Step Functions accepts an execution's name again
// 90 days after that execution ended (API reference, StartExecution), and a redrive does not change the start.
func nameExecution(in rotation.PlanInput) string {
	if in.Started == "" {
		return in.Execution
	}
	return in.Execution + " " + in.Started
}

// VersionID returns the version that an execution makes: the UUIDv5 of its name (RFC 9562), so that all its retries and
// redrives mean the same version, and no two executions do.
func VersionID(execution string) string {
	h := sha1.New() // UUIDv5 is defined with SHA-1; nothing rests on its strength
	h.Write(versionSpace[:])
	h.Write([]byte(execution))
	u := h.Sum(nil)[:16]
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	x := hex.EncodeToString(u)
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}
