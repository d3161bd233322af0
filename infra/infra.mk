# Deployment: included by the Makefile. It uses BUILD and functions-arm64.

# The cdk command, at the version of infra/package.json. Nothing else needs npm here, so it is installed only for these targets.
CDK := infra/node_modules/.bin/cdk

# What Node the CDK runs on (jsii's table of releases; their ends are nodejs.org's). It says so itself, at such length that we
# say it instead.
.PHONY: node
node:
	@v=$$(node -p process.versions.node); case $${v%%.*} in 22|24) ;; \
	  20) echo "Node $$v has had its end of life. The CDK works with it, but supports 22 and 24: update it before you deploy." ;; \
	  *) echo "Node $$v was not tried with this. The CDK supports 22 and 24." ;; esac
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20

.PHONY: synth
synth: node infra/node_modules/.stamp functions-arm64 ## The CloudFormation template from infra/clients.yaml, in .build/cdk.out
	@rm -f .build/cdk.out/*.template.json # another file's, say
	@$(CDK) synth --quiet
	@echo "The configuration is right. The template is $$(ls .build/cdk.out/*.template.json)"

.PHONY: diff
diff: node infra/node_modules/.stamp functions-arm64 ## What a deployment would change
	@$(CDK) diff

.PHONY: deploy
deploy: node infra/node_modules/.stamp functions-arm64 ## Deploy to the account and Region of infra/clients.yaml
	@$(CDK) deploy --all

.PHONY: golden-infra
golden-infra:
	@cd infra && go test . -run TestTheTemplateIsTheGoldenOne -update

# Some tests read files outside of their module, of which go test would not see that they changed: the documentation, the
# path of a rotation, and in local/deployed the golden template.
.PHONY: test-infra
test-infra: node $(NPM_STAMPS)
	@$(GO_TEST) ./infra/...
	@$(GO_TEST) -count=1 ./infra -run InTheDocumentation
	@$(GO_TEST) -count=1 ./local/deployed
