# Deployment: included by the Makefile. It uses BUILD and functions-arm64.

# The cdk command, at the version of infra/package.json. Nothing else needs npm here, so it is installed only for these targets.
CDK := infra/node_modules/.bin/cdk

# The CDK supports Node 22 and later. It works with 20, too, and says so at such length that we say it instead.
node-note = @v=$$(node -p 'process.versions.node'); test $${v%%.*} -ge 22 || \
  echo "Node $$v is past its end of life. The CDK still works with it, but supports 22 and later: update it before you deploy."
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 1

.PHONY: synth
synth: infra/node_modules/.stamp functions-arm64 ## The CloudFormation template from infra/clients.yaml, in .build/cdk.out
	$(node-note)
	@$(CDK) synth --quiet
	@echo "The template is $$(ls .build/cdk.out/*.template.json)"

.PHONY: diff
diff: infra/node_modules/.stamp functions-arm64 ## What a deployment would change
	$(node-note)
	@$(CDK) diff

.PHONY: deploy
deploy: infra/node_modules/.stamp functions-arm64 ## Deploy to the account and Region of infra/clients.yaml
	$(node-note)
	@$(CDK) deploy

.PHONY: golden-infra
golden-infra:
	@cd infra && go test . -run TestTheTemplateIsTheGoldenOne -update

# Some tests read files outside of their module, of which go test would not see that they changed: the documentation, the
# path of a rotation, and in local/deployed the golden template.
.PHONY: test-infra
test-infra: $(NPM_STAMPS)
	$(node-note)
	@$(GO_TEST) ./infra/...
	@$(GO_TEST) -count=1 ./infra -run InTheDocumentation
	@$(GO_TEST) -count=1 ./local/deployed
