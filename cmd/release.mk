# Releases: included by the Makefile. It uses BUILD, FUNCTIONS, GOFLAGS_FUNCTION and build-functions.

PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
RELEASE    = $(BUILD)/release/$(VERSION)
$(call for-targets,VERSION,release release-functions release-template release-rotator)

# What a build depends on besides the source and the version of Go: no flags of this machine, no state of its repository.
PLAIN := GOWORK=off GOFLAGS='$(FAST_COMPILE)' GOTOOLCHAIN=local CGO_ENABLED=0
# $(1): the folder of the repository, $(2): of the results, $(3): the functions
release-functions = cd $(1)/functions && for f in $(3); do $(PLAIN) GOOS=linux GOARCH=arm64 \
  go build -trimpath -buildvcs=false $(GOFLAGS_FUNCTION) -o $(2)/$$f/bootstrap ./$$f/bootstrap; done

.PHONY: release
release: node infra/node_modules/.stamp ## Files for people without Go or the CDK, in .build/release (VERSION=1.2.3)
	@[[ '$(VERSION)' =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$$ ]] || { echo 'give it a version: make release VERSION=1.2.3'; exit 1; }
	@rm -rf $(RELEASE) $(BUILD)/release/functions && mkdir -p $(RELEASE)
	@.ci/step functions $(MAKE) --no-print-directory release-functions
	@.ci/step template $(MAKE) --no-print-directory release-template VERSION=$(VERSION)
	@for p in $(PLATFORMS); do .ci/step "rotator $$p" $(MAKE) --no-print-directory release-rotator VERSION=$(VERSION) PLATFORM=$$p; done
	@cd cmd && GOWORK=off go run ./release -functions $(BUILD)/release/functions -version $(VERSION) -out $(RELEASE)
	@cd $(RELEASE) && sha256sum -c --quiet SHA256SUMS && cat SHA256SUMS
	@.ci/step summary

.PHONY: release-functions release-template release-rotator
release-functions:
	@$(call release-functions,$(CURDIR),$(BUILD)/release/functions,$(FUNCTIONS))
release-template:
	@FUNCTIONS=$(BUILD)/release/functions go run ./infra -release $(VERSION) -template $(RELEASE)/rotator.template.json
release-rotator:
	@cd cmd && $(PLAIN) GOOS=$(word 1,$(subst /, ,$(PLATFORM))) GOARCH=$(word 2,$(subst /, ,$(PLATFORM))) \
	  go build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)' \
	  -o $(RELEASE)/rotator_$(subst /,_,$(PLATFORM))$(if $(findstring windows,$(PLATFORM)),.exe) ./rotator

# The same sums from another folder: what infra's and cmd's tests say of the template, the zips and the lists holds for what is
# in them. One function is enough: all are built alike.
.PHONY: twice
twice:
	@rm -rf $(BUILD)/twice && mkdir -p $(BUILD)/twice/source
	@git ls-files -z functions shared statemachine | xargs -0 cp --parents -t $(BUILD)/twice/source
	@$(call release-functions,$(CURDIR),$(BUILD)/twice/a,plan)
	@$(call release-functions,$(BUILD)/twice/source,$(BUILD)/twice/b,plan)
	@cmp $(BUILD)/twice/a/plan/bootstrap $(BUILD)/twice/b/plan/bootstrap
	@rm -rf $(BUILD)/twice; echo 'plan is the same, built in two folders'
