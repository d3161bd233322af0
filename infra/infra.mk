# Deployment: included by the Makefile after its NPM_STAMPS and before its target deps. It uses BUILD and functions-arm64.

# The cdk command, at the version of infra/package.json.
CDK := infra/node_modules/.bin/cdk

NPM_STAMPS += infra/node_modules/.stamp

.PHONY: synth
synth: deps functions-arm64 ## The CloudFormation template from infra/clients.yaml, in .build/cdk.out
	@$(CDK) synth --quiet

.PHONY: diff
diff: deps functions-arm64 ## What a deployment would change
	@$(CDK) diff

.PHONY: deploy
deploy: deps functions-arm64 ## Deploy to the account and Region of infra/clients.yaml
	@$(CDK) deploy

.PHONY: golden-infra
golden-infra: deps
	@infra/bindings/run go -C infra test . -run TestTheTemplateIsTheGoldenOne -update

# infra is not among the MODULES: its modules may have to be generated first (infra/bindings/generate.sh), and gofmt on the
# folder would read templates inside node_modules.
# Some tests read files outside of their module, of which go test would not see that they changed: the documentation, the
# path of a rotation, and in local/deployed the golden template.
.PHONY: test-infra
test-infra: deps
	@cd infra && bindings/run go test ./...
	@cd infra && bindings/run go test -count=1 . -run InTheDocumentation
	@cd local && go test -count=1 ./deployed

.PHONY: lint-infra
lint-infra: $(BUILD)/bin/staticcheck
	@test -z "$$(gofmt -l infra/*.go infra/jsii)" || { echo 'not formatted:'; gofmt -l infra/*.go infra/jsii; exit 1; }
	@cd infra && bindings/run go vet ./... && bindings/run $(BUILD)/bin/staticcheck ./...

# The bindings that are generated where the Go module proxy lacks the official modules: the same tests with them, and
# those of our own jsii runtime. Where the proxy has them nothing else would compile these. The first time that takes some
# four minutes on two processors, for generating and compiling; then seconds.
.PHONY: test-bindings
test-bindings: deps
	@cd infra && export CDK_BINDINGS=generated && bindings/run go -C jsii test ./... && bindings/run go test ./...
