# Two commands do everything: `make demo` and `make test`. The rest is for development and deployment.

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

MODULES   := shared statemachine functions local cmd infra
FUNCTIONS := plan createsecret updatealb promotesecret smoketest retiresecret record
BUILD     := $(CURDIR)/.build

GOLANGCI_LINT_VERSION := v2.15.0

# Binaries that are only run, not debugged: half of the time to link them is for the debugger's tables.
STRIPPED := -ldflags '-s -w'

# The Lambda functions. Those for this machine are compiled like the tests, so that their packages are compiled once for both;
# those that are deployed hold no path of this machine. lambda.norpc leaves out the RPC mode that only the retired go1.x
# runtime used.
GOFLAGS_FUNCTION := -tags lambda.norpc $(STRIPPED)

# Inlining in the SDK's generated code takes two fifths of the time it takes to compile, and speeds up nothing here.
FAST_COMPILE := -gcflags=github.com/aws/aws-sdk-go-v2/...=-l
export GOFLAGS := $(strip $(filter-out $(FAST_COMPILE),$(shell go env GOFLAGS)) $(FAST_COMPILE))

# make lint runs the whole of go vet; go test would run a part of it again.
GO_TEST := go test -vet=off

# What runs concurrently is tested with -race, too; compiling all the rest a second time would take longer than running it.
# The race detector needs a C compiler, of which go env CGO_ENABLED tells.
RACE := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race -gcflags=all=-l)
RACED := $(patsubst %,./local/%/...,asl jsonata stepfunctions lambda dataplane idp eventbridge scheduler traffic) \
  $(patsubst %,./shared/%/...,clock fault awstest telemetry clientcredentials probe)

.DEFAULT_GOAL := help

.PHONY: help
help: ## Print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST) | sort

# What only some targets take; others would ignore it in silence.
for-targets = $(if $(findstring command line,$(origin $(1))),$(if $(filter $(2),$(MAKECMDGOALS)),, \
  $(error $(1)= is for make $(subst $(space),$(space)and$(space),$(2)), not for make $(or $(MAKECMDGOALS),help))))
empty :=
space := $(empty) $(empty)
comma := ,
$(call for-targets,IDP,demo local live)
$(call for-targets,PORT,demo local)
$(call for-targets,FAIL,demo)
$(call for-targets,WEB,demo)
$(call for-targets,FOLLOWERS,demo)
$(call for-targets,SEEDS,prove mutate)
$(call for-targets,T,fuzz)
$(call for-targets,QUICK,bench)
$(call for-targets,PART,bench performance)
$(call for-targets,ONLY,mutate)
$(call for-targets,REGION,verify-live)
$(call for-targets,YES,verify-live)

DEMO = $(BUILD)/bin/demo -functions $(BUILD)/functions/local $(if $(IDP),-idp '$(IDP)') $(if $(FAIL),-fail '$(FAIL)') \
  $(if $(PORT),-address '127.0.0.1:$(PORT)')
CONSOLE := -rotator $(BUILD)/bin/rotator

.PHONY: demo local
ifeq ($(filter help,$(IDP) $(FAIL)),)
demo: build $(if $(WEB),rotator) ## A real rotation under live logins, on this machine (WEB=1: on a web page, too; FAIL=<state>: a rollback; FOLLOWERS=1: two rules are a controller's, which follows by itself; IDP=<type>: another identity provider; help lists them)
	@$(DEMO) $(if $(FOLLOWERS),-followers) $(if $(WEB),$(CONSOLE))

local: build rotator ## Keep the local stack running, to use a web page, rotator or the AWS CLI against it (PORT=<number>, IDP=<type>)
	@$(DEMO) -serve $(CONSOLE)
else
# Asked before anything is compiled, which takes minutes.
IDPS := $(sort $(patsubst shared/idp/%/settings.go,%,$(wildcard shared/idp/*/settings.go)))
show-fails = echo 'FAIL= is one of:'; sed -n 's/^[[:space:]]*{"\([A-Z][A-Za-z]*\)", "\([^"]*\)".*/  \1: \2/p' local/demo/faults.go

demo local:
	@$(if $(filter help,$(IDP)),echo 'IDP= is one of: $(subst $(space),$(comma)$(space),$(IDPS))')
	@$(if $(filter help,$(FAIL)),$(show-fails))
endif

.PHONY: test
test: ## What the product does, once: unit tests, providers' conformance, whole rotations, the deployment
	@# npm waits for the network while Go compiles
	@.ci/step build $(MAKE) -j2 --no-print-directory build
	@# shared reads files of other modules, which the test cache does not see
	@.ci/step "go test shared" $(GO_TEST) -short -count=1 ./shared/...
	@.ci/step "go test statemachine, functions" $(GO_TEST) -short ./statemachine/... ./functions/...
	@.ci/step "go test local" $(GO_TEST) -short -timeout 30m ./local/...
	@.ci/step "go test cmd" $(GO_TEST) ./cmd/...
	@.ci/step "go test infra" $(MAKE) --no-print-directory test-infra
	@.ci/step summary

# What -short leaves a part of.
LONG := TestWhateverHappens

# How many random histories are lived, or a range of their seeds.
SEEDS := 200

.PHONY: prove
prove: deps ## Random histories of a client, against the guarantees (SEEDS=<count>, or a range: SEEDS=17-17); a failure is told and shrunk
	@$(GO_TEST) -timeout $(if $(filter 200,$(SEEDS)),60m,24h) -v ./local/guarantees -run 'TestRandomHistories' -seeds '$(SEEDS)' | grep -vE '^ *(===|--- PASS)'

.PHONY: check
check: deps ## The rest of what must be green: linters, data races, every disturbance of every call, random histories, sizes
	@.ci/step lint $(MAKE) --no-print-directory lint
	@.ci/step "go test -race (what runs concurrently)" $(MAKE) --no-print-directory race
	@.ci/step "go test local/guarantees (everything at every call)" $(GO_TEST) -timeout 60m ./local/guarantees -run '$(LONG)'
	@.ci/step "a real Keycloak" $(MAKE) --no-print-directory keycloak
	@.ci/step "the console in a browser" $(MAKE) --no-print-directory browser
	@.ci/step "make prove" $(MAKE) --no-print-directory prove
	@.ci/step sizes $(MAKE) --no-print-directory sizes
	@.ci/step "a function, built twice" $(MAKE) --no-print-directory twice
	@.ci/step summary

# A real Keycloak comes from Maven Central, and needs no Docker. Where it cannot be had, what is tried with it is left out.
KEYCLOAK_VERSION := 26.7.3
KEYCLOAK := $(BUILD)/keycloak/keycloak-$(KEYCLOAK_VERSION)
LIVE := mkdir -p $(BUILD)/live && cd local && $(GO_TEST) -count=1 -timeout 60m -parallel 4 ./live

.PHONY: keycloak
keycloak: deps
	@java=$$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' || true); \
	if [ "$${java:-0}" -lt 17 ] || ! command -v mvn >/dev/null; then \
	  echo 'A real Keycloak is left out: that needs Java 17 or later, and mvn.'; exit; fi; \
	$(MAKE) --no-print-directory -s $(KEYCLOAK) || { \
	  echo 'A real Keycloak is left out: it could not be fetched from Maven Central.'; exit 0; }; \
	$(LIVE) -run TestKeycloak -args -keycloak $(KEYCLOAK) -results $(BUILD)/live

# rotator's console, driven by a real browser on the local stack: Debian's chromium, or Chrome. make test needs none.
.PHONY: browser
browser: build rotator
	@chromium=$$(command -v chromium || command -v chromium-browser || command -v google-chrome || true); \
	test -n "$$chromium" || { echo 'The console is not tried in a browser: there is no chromium (apt-get install chromium).'; exit 0; }; \
	cd cmd && go test -tags browser -count=1 -timeout 30m ./internal/console/browser -args -chromium "$$chromium" -built $(BUILD)

.PHONY: live
live: deps ## Try a real identity provider with a throw-away client (IDP=<type>; settings: docs/identity-providers/README.md)
ifeq ($(IDP)$(LIVE_URL),keycloak)
	@$(MAKE) --no-print-directory keycloak
else ifeq ($(IDP),keycloak)
	@$(LIVE) -run TestKeycloak -args -results $(BUILD)/live
else
	@test -n '$(IDP)' || { echo 'IDP= must be given: the type of the identity provider'; exit 2; }
	@export LIVE_IDP='$(IDP)'; $(LIVE) -run TestTenant -args -results $(BUILD)/live
endif

.PHONY: verify-live
verify-live: ## Measure in an AWS account what only one can tell, and remove everything (REGION=<region>; settings: docs/guarantees.md)
	@mkdir -p $(BUILD)/bin && cd local && go build $(STRIPPED) -o $(BUILD)/bin/verify-live ./cmd/verify-live
	@$(BUILD)/bin/verify-live -out $(BUILD)/verify-live

$(KEYCLOAK):
	@rm -rf $(dir $@) && mkdir -p $(dir $@)
	@mvn -q -B dependency:copy -Dartifact=org.keycloak:keycloak-quarkus-dist:$(KEYCLOAK_VERSION):tar.gz -DoutputDirectory=$(dir $@)
	@tar -xzf $(dir $@)keycloak-quarkus-dist-$(KEYCLOAK_VERSION).tar.gz -C $(dir $@)

.PHONY: race
race:
	@test -n "$(RACE)" || echo 'There is no C compiler, so the race detector is not used.'
	@test -z "$(RACE)" || $(GO_TEST) $(RACE) $(RACED)

.PHONY: lint
lint: $(BUILD)/bin/golangci-lint ## gofmt, go vet, golangci-lint, go mod tidy -diff, the versions of dependencies
	@files=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$files" || { echo 'not formatted (run make fmt):'; echo "$$files"; exit 1; }
	@for m in $(MODULES); do ( cd $$m && GOWORK=off go mod tidy -diff && GOWORK=off go vet ./... && $(BUILD)/bin/golangci-lint run ./... ); done
	@for m in functions local cmd; do diff <(cd $$m && GOWORK=off $(versions)) <(cd $$m && $(versions)) || { \
	  echo "go.work builds $$m with other versions than its go.mod: raise the lower ones there"; exit 1; }; done
	@long=$$(git grep -hoE '^func Test[A-Za-z0-9_]{57,}' -- '*_test.go' || true); test -z "$$long" || { \
	  echo 'names of more than 60 characters (say the sentence in t.Run):'; echo "$$long"; exit 1; }

# The versions of what a module is built from. What is tested in the workspace must be what is deployed, whatever the CDK asks for.
versions = go list -deps -f '{{with .Module}}{{if not .Replace}}{{.Path}} {{.Version}}{{end}}{{end}}' ./... | grep -v '^alboidc' | sort -u

.PHONY: golden
golden: deps golden-infra ## Write what tests compare: layout and paths of the state machine, the CloudFormation template, lists of providers, counts
	@$(write-providers)
	@cd statemachine && go test . -update -run Layout
	@cd local && go test ./guarantees -update -run 'TestARotation|TestAFailure|TestAnEmergency|TestADryRun|TestARefusedPlan|TestAMeasurement|TestARepair'
	@cd local && go test ./bench -update -count=1 -run TestTheTableIsOfThisCode >/dev/null

write-providers = cd shared && go test ./idp/registry/... -count=1 -update -run 'TestTheTableOfProviders|TestEveryProviderHasAnImitation' >/dev/null

.PHONY: idp
idp: ## Make the folder, the line and the page of a new identity provider (NAME=acme MODEL=named-set, current-previous or single-slot)
	@cd shared && go run ./idp/registry/newidp -root .. -name '$(NAME)' -model '$(MODEL)'
	@$(write-providers)
	@echo 'It compiles and passes the conformance suite against its own imitation. Go on with docs/adding-an-idp.md: TODO marks the facts of the vendor.'

.PHONY: fmt
fmt: ## Format the Go code
	@gofmt -w $$(git ls-files '*.go')

.PHONY: build
build: deps functions ## Build the functions for this machine, and the demo
	@mkdir -p $(BUILD)/bin
	@cd local && go build $(STRIPPED) -o $(BUILD)/bin/demo ./cmd/demo

# Compiles what the functions share once, and then links two at a time. GOWORK=off: functions/go.mod alone decides the versions.
build-functions = cd functions && export GOWORK=off && go build $(2) ./... && \
  printf '%s\n' $(FUNCTIONS) | xargs -P 2 -I{} go build $(2) -o $(BUILD)/functions/$(1)/{}/bootstrap ./{}/bootstrap

.PHONY: functions
functions: ## Build the functions for this machine
	@test -d $(BUILD)/functions/local || echo 'Compiling. The first time on a machine that takes a minute or two.'
	@$(call build-functions,local,$(GOFLAGS_FUNCTION))

.PHONY: functions-arm64
functions-arm64: ## Build the functions for deployment (provided.al2023, arm64)
	@export CGO_ENABLED=0 GOOS=linux GOARCH=arm64; $(call build-functions,arm64,-trimpath $(GOFLAGS_FUNCTION))

.PHONY: rotator
rotator: ## Build rotator, which operates the rotation on AWS and on the local stack (.build/bin/rotator)
	@mkdir -p $(BUILD)/bin
	@cd cmd && GOWORK=off go build -trimpath $(STRIPPED) -o $(BUILD)/bin/rotator ./rotator
	@echo 'built .build/bin/rotator; try: .build/bin/rotator status'

# The largest a function may be, stripped, arm64: Lambda downloads and unpacks it at every cold start.
MAX_FUNCTION_BYTES := 20000000

.PHONY: sizes
sizes: functions-arm64 ## Sizes of the deployed functions
	@for f in $(FUNCTIONS); do s=$$(wc -c < $(BUILD)/functions/arm64/$$f/bootstrap); printf '%-14s %9d bytes\n' $$f $$s; \
	  test $$s -le $(MAX_FUNCTION_BYTES) || { echo "$$f is larger than $(MAX_FUNCTION_BYTES) bytes"; exit 1; }; done

.PHONY: mutate
mutate: deps ## Plant faults of the protocol one at a time: is each caught, and by which test (ONLY=<regular expression>); with SEEDS=50: after how many random histories is each of some found
	@cd local && go run ./cmd/mutate -root .. -only '$(ONLY)' $(if $(filter command% environment%,$(origin SEEDS)),-seeds '$(SEEDS)')

.PHONY: bench performance
bench: build ## Measure rotations: one table, also in .build/bench (QUICK=1 for less; PART=counted, started, page, clients or soak)
	@cd local && go build $(STRIPPED) -o $(BUILD)/bin/bench ./cmd/bench
	@cd local && go build $(GOFLAGS_FUNCTION) -o $(BUILD)/functions/local/hello/bootstrap ./bench/testdata/hello
	@$(BUILD)/bin/bench -functions $(BUILD)/functions/local -out $(BUILD)/bench $(if $(QUICK),-quick) $(if $(PART),-only '$(PART)') $(PAGE)

performance: PAGE := -page docs/performance.md
performance: bench ## The same, and the table goes into docs/performance.md (on a machine that does nothing else)

# The fuzz targets, as FILE:NAME; what one finds becomes a file in testdata/fuzz, which go test runs from then on.
FUZZ_TARGETS = git grep -oE '^func Fuzz[A-Za-z0-9]+' -- '*_test.go' | sed 's/:func /:/'
T ?= 1m

.PHONY: fuzz
fuzz: deps ## Fuzz everything that is read from outside, one after the other, each for a while (T=2m)
	@$(FUZZ_TARGETS) | while IFS=: read -r file name; do \
	  .ci/step "fuzz $$name" $(GO_TEST) "./$$(dirname "$$file")" -run '^$$' -fuzz "^$$name\$$" -fuzztime '$(T)' </dev/null; done
	@.ci/step summary

# What comes from npm: JSONata for the local Step Functions, and the validators of the state machine.
NPM_STAMPS := local/node_modules/.stamp statemachine/node_modules/.stamp

include infra/infra.mk
include cmd/release.mk

.PHONY: deps
deps: $(NPM_STAMPS)

%/node_modules/.stamp: %/package-lock.json
	@.ci/step "npm ci $*" npm ci --prefix $* --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(BUILD)/bin/golangci-lint:
	@echo 'Compiling golangci-lint, which takes a minute or two.'
	@GOWORK=off GOFLAGS= GOBIN=$(BUILD)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)

.PHONY: clean
clean: ## Remove what was built
	@rm -rf $(BUILD) local/node_modules statemachine/node_modules infra/node_modules
