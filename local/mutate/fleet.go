package mutate

// ofTheFleet are faults of what is there for many clients: states of fleet.asl.json, what rotator does about fleets,
// and the further stacks, by the test that must catch them.
var ofTheFleet = map[string][]fault{
	"TestEveryDecisionIsTheOneThatIsMeant": {
		{"fleet NextWave", ` or ($wave = 1 and $canary != '' and $failures > 0)`, ``, "although the canary"},
		{"fleet NextWave", `$failures > $maxFailures or `, ``, "although the canary, or too many"},
		{"fleet RotateWave", `or $until != '' `, ``, "waits for grace periods"},
		{"fleet RotateWave", `? 900 : 7200`, `? 9000 : 7200`, "or for ever"},
		{"fleet AwaitEnds", `$looks > 1000`, `$looks > 10`, "fails late"},
		{"fleet Sum", `$not($stopped) and `, ``, "people read that all is well"},
		{"fleet CheckChosen", `$exists($request.clients[$not($ in $names)])`, `false`, "misspelt client"},
		{"fleet FleetOutcome", `"Default": "FleetIncomplete"`, `"Default": "FleetRotated"`, "as if all had gone well"},
	},
	"local/guarantees TestAFleetRotatesItsClientsInWaves": {
		{"fleet PlaceInWaves", `$floor($i / $most)`, `0`, "at once, by tenant"},
		{"fleet PlaceInWaves", `clients[$ != $canary]`, `clients`, "ended as"},
		{"fleet RotateWave", `= '${RotationExecutions}' & $states.input.name ?`, `= 'x' ?`, "ended as"},
		{"fleet RotateWave", `, 'fleet': $fleet`, ``, "people read"},
	},
	"local/guarantees TestAFleetIsChosen": {
		{"fleet Choose", `$c[$ in $request.clients]`, `$c`, "TestAFleetIsChosen"},
		{"fleet Choose", `$request.tenant != $p[1]`, `false`, "TestAFleetIsChosen"},
	},
	"local/guarantees TestALateFailureIsInTheReport": {
		{"fleet AwaitEnds", `"{% [$results[o in ['tested', 'slow']]] %}"`, `"{% [$results[o in ['slow']]] %}"`,
			"TestALateFailureIsInTheReport"},
	},
	"local/guarantees TestFailuresStopAFleetAndAreNamed": {
		{"fleet RotateWave", `'LockHeld': 'locked', `, ``, "TestFailuresStopAFleetAndAreNamed"},
		{"fleet NextWave", `"Next": "TellStop"`, `"Next": "AwaitEnds"`, "TestFailuresStopAFleetAndAreNamed"},
	},
	"local/guarantees TestALeakOfAllIsNotStoppedByFailures": {
		{"fleet CheckChosen", `$request.emergency = true ? 1000 : 2`, `2`, "ended as"},
		{"fleet RotateWave", `$request.emergency = true ? {'emergency': true} : {}`, `{}`, "it took"},
	},
	"local/guarantees TestADryRunOfAnyNameIsFollowedByADryRun": {
		{"fleet RotateWave", `$request.dryRun = true ? {'dryRun': true} : {}`, `{}`, "a dry run has rotated"},
	},
	"local/guarantees TestAFleetLooksForARotationThatMayHaveBegun": {
		{"fleet RotateWave", `, "Sfn.SdkClientException", "States.Timeout"], "Assign": {"looks": 0}`,
			`], "Assign": {"looks": 0}`, "TestAFleetLooksForARotation"},
	},
	"cmd/internal/cli TestAFleetIsStartedWatchedAndShown": {
		{"cmd/internal/cli/fleet.go beginFleet", `!confirmed || !r.All || r.Canary != ""`, `!confirmed`,
			"has no client"},
		{"cmd/internal/cli/fleet.go beginFleet", `if !confirmed {`, `if false {`, "confirm with"},
		{"cmd/internal/cli/fleet.go beginFleet", ` || r.Canary != ""`, ``, "is none of the chosen"},
		{"cmd/internal/cli/fleet.go chosen", ` && (r.Tenant == "" || r.Tenant == c.Tenant())`, ``, "no client of that"},
		{"cmd/internal/cli/fleet.go fleetStart", `r.Tenant = strings.ToLower(r.Tenant)`, ``, "rotates 4 of the 4"},
		{"cmd/internal/cli/fleet.go showFleet", ` || report.Outcome != "rotated"`, ``, "exit"},
		{"cmd/internal/system/fleet.go StartFleet", `} else if err := mayStart(each, text); err != nil {`,
			`} else if err := mayStart(each, text); false {`, "reason: must"},
		{"cmd/internal/system/fleet.go FleetReport", `len(text) == 0 && e.Error == statemachine.FleetTold()[0]`,
			`false`,
			"clients were rotated"},
		{"cmd/internal/system/fleet.go explainFleet", `if isAbsent(err) {`, `if false {`, "has no fleet"},
	},
	"infra TestAPlaceOnceGivenIsKept": {
		{"infra/places.go extend", `if !known { n =`, `if !known || known { n =`, "address"},
		{"infra/places.go extend", `if _, known := p.Clients[c.Name]; known { continue }`, ``,
			"at first the places are"},
		{"infra/places.go mostClients", `25`, `45`, "at first the places are"},
		{"infra/places.go firstPlaces", `p.Clients[c.Name] = 0`, ``, "at first the places are"},
	},
	"infra TestPlacesThatCannotBeRightAreRefused": {
		{"infra/places.go check", `n < 0 || `, ``, "clients.a: must be 0"},
		{"infra/places.go check", ` || n > p.Stacks`, ``, "clients.a: must be 0"},
		{"infra/places.go check", `, "addresses": p.Addresses`, ``, "addresses.x@y"},
		{"infra/places.go readPlaces", `errors.Is(err, fs.ErrNotExist)`,
			`errors.Is(err, fs.ErrNotExist) && false`, "without a file"},
		{"infra/places.go readPlaces", `if len(ps) == 0 {`, `if false {`, "clients.a: must be 0"},
	},
	"infra TestPlacesAreWrittenOnce": {
		{"infra/places.go write", `string(old) == string(text)`, `string(old) != string(text)`, "written"},
		{"infra/places.go placesPath", `filepath.Ext(clientsFile)`, `filepath.Ext(clientsFile)+"x"`,
			"other.yaml.places.json"},
	},
	"infra TestTheFirstClientsOfAFileStayInTheStackItself": {
		{"infra/further.go fitting", `min(len(f.Clients), clientsInStack)`, `len(f.Clients)`,
			"are in the stack itself"},
		{"infra/further.go fitting", `if n == 0 && other == nil {`, `if false {`, "fits nowhere"},
		{"infra/further.go fitting", `!fits(i + 1)`, `!fits(i + 2)`, "are in the stack itself"},
		{"infra/further.go place", `f.Clients[i].Place = p.Clients[f.Clients[i].Name]`, `_ = i`,
			"are in the stack itself"},
	},
	"infra TestARoleReachesTheClientsOfItsStackOnly": {
		{"infra/further.go addPlaceRoles", `if g.Evidence { continue }`, ``, "record"},
		{"infra/further.go addPlaceRoles", `awsiam.NewArnPrincipal(r.callers[f.Name].RoleArn())`,
			`awsiam.NewAccountPrincipal(&r.Account)`, "trust of"},
		{"infra/further.go allowPlaces", `n+1`, `n+2`, "sts:AssumeRole"},
		{"infra/further.go addBus", `r.ourAccount(r.arn("events", "rule/"+r.ruleName("*")))`, `nil`,
			"trust of changes"},
	},
	"infra TestEveryRoleMayDoExactlyWhatIsListedAndNothingBroader": {
		{"infra/fleet.go addFleet", `r.ourAccount(arn, arn+":*", arn+"/*")`, `nil`, "trust of fleet"},
		{"infra/fleet.go addFleet", `[]string{r.executionARNs()}, nil)`, `[]string{"*"}, nil)`,
			"states:DescribeExecution"},
		{"infra/fleet.go addFleet", `rights.ReadJournal`, `rights.WriteJournal`, "dynamodb:UpdateItem"},
		{"infra/fleet.go addFleet", `[]string{arn}, nil)`, `[]string{"*"}, nil)`, "states:StartExecution"},
		{"infra/fleet.go started", `if r.hasFleet() {`, `if false {`, "alb-oidc-rotator-fleet"},
	},
	"infra TestEveryRuleStartsTheStateMachineThatLooksAfterIt": {
		{"infra/fleet.go watchFleet", `"FAILED", "ABORTED", "TIMED_OUT"`, `"FAILED"`, "fleet"},
		{"infra/fleet.go watchFleet", `map[string]any{"exists": false}}`, `}`, "fleet"},
	},
	"functions/entrypoint TestARoleOfAFurtherStackIsAssumed": {
		{"functions/entrypoint/accounts.go reaches", `if s.place > 0 {`, `if false {`, "the clients of place 3"},
	},
}
