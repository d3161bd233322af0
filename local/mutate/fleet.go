package mutate

// ofTheFleet are faults in states of fleet.asl.json, by the test that must catch them.
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
}
