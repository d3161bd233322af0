package runtime_test

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/aws/jsii-runtime-go/runtime"
)

// The tests talk to the real kernel, which infra/bindings/run names, through the generated bindings.

func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

func newStack(t *testing.T) (awscdk.App, awscdk.Stack) {
	t.Helper()
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(t.TempDir()), AnalyticsReporting: jsii.Bool(false)})
	return app, awscdk.NewStack(app, jsii.String("Stack"), &awscdk.StackProps{Tags: &map[string]*string{"team": jsii.String("web")}})
}

// failure is what a call panics with.
func failure(t *testing.T, call func()) (text string) {
	t.Helper()
	defer func() {
		if text = fmt.Sprint(recover()); text == "<nil>" {
			t.Error("the call did not fail")
		}
	}()
	call()
	return ""
}

func TestAnObjectKeepsItsProxy(t *testing.T) {
	app, stack := newStack(t)
	if got := stack.Node().Root(); got != app {
		t.Errorf("the root is %T %v, want the app itself", got, got)
	}
	if got := *stack.Node().Path(); got != "Stack" {
		t.Errorf("the path is %s", got)
	}
	if got := *stack.ToString(); got != "Stack" { // a method of the base class, called on the embedded part
		t.Errorf("the stack is called %s", got)
	}
}

func TestAnObjectThatJavaScriptMadeHasTheProxyOfItsClass(t *testing.T) {
	_, stack := newStack(t)
	table := awsdynamodb.NewTable(stack, jsii.String("T"), &awsdynamodb.TableProps{
		PartitionKey: &awsdynamodb.Attribute{Name: jsii.String("client"), Type: awsdynamodb.AttributeType_STRING}})
	cfn, ok := table.Node().DefaultChild().(awsdynamodb.CfnTable)
	if !ok {
		t.Fatalf("the default child is a %T", table.Node().DefaultChild())
	}
	cfn.SetTableName(jsii.String("journal"))
	if got := cfn.TableName(); got == nil || *got != "journal" {
		t.Errorf("the name is %v", got)
	}
}

func TestListsEnumsAndOptionalValuesGoBothWays(t *testing.T) {
	_, stack := newStack(t)
	table := awsdynamodb.NewCfnTable(stack, jsii.String("T"), &awsdynamodb.CfnTableProps{
		KeySchema: []any{&awsdynamodb.CfnTable_KeySchemaProperty{AttributeName: jsii.String("client"), KeyType: jsii.String("HASH")}}})
	all := *stack.Node().FindAll(constructs.ConstructOrder_PREORDER)
	if len(all) != 2 || all[0] != constructs.IConstruct(stack) || all[1] != constructs.IConstruct(table) {
		t.Errorf("found %v", all)
	}
	if got := table.CfnOptions().DeletionPolicy(); got != "" {
		t.Errorf("an absent policy is %q", got)
	}
	table.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN, nil)
	if got := table.CfnOptions().DeletionPolicy(); got != awscdk.CfnDeletionPolicy_RETAIN {
		t.Errorf("the policy is %q", got)
	}
	if got := stack.Node().TryFindChild(jsii.String("none")); got != nil {
		t.Errorf("an absent child is %v", got)
	}
}

func TestAStructThatJavaScriptReturnsIsReadFieldByField(t *testing.T) {
	_, stack := newStack(t)
	stack.Node().AddMetadata(jsii.String("note"), "text", nil)
	entries := *stack.Node().Metadata()
	if len(entries) != 1 || *entries[0].Type != "note" || entries[0].Data != "text" {
		t.Errorf("got %+v", entries)
	}
}

func TestAnyJSONGoesThroughUnchanged(t *testing.T) {
	_, stack := newStack(t)
	got := stack.Resolve(map[string]any{"list": []any{"a", 1.5, true, map[string]any{"b": jsii.String("c")}}, "region": awscdk.Aws_REGION(), "none": nil})
	want := map[string]any{"list": []any{"a", 1.5, true, map[string]any{"b": "c"}}, "region": map[string]any{"Ref": "AWS::Region"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v", got)
	}
}

func TestTimesAndNumbersGoBothWays(t *testing.T) {
	at := time.Date(2026, 11, 22, 23, 30, 0, 0, time.UTC)
	if got := awscdk.Expiration_AtDate(&at).Date(); !got.Equal(at) {
		t.Errorf("the date is %v", got)
	}
	if got := *awscdk.Duration_Seconds(jsii.Number(90)).ToMilliseconds(nil); got != 90000 {
		t.Errorf("90 s are %v ms", got)
	}
}

func TestAStaticPropertyIsTheSameObjectEachTime(t *testing.T) {
	if a := awslambda.Architecture_ARM_64(); a != awslambda.Architecture_ARM_64() || *a.Name() != "arm64" {
		t.Errorf("the architecture is %v", a)
	}
}

func TestAnErrorInJavaScriptNamesTheCallAndTheCause(t *testing.T) {
	_, stack := newStack(t)
	got := failure(t, func() { stack.Node().FindChild(jsii.String("nobody")) })
	if !strings.Contains(got, ".findChild") || !strings.Contains(got, "nobody") {
		t.Errorf("got %s", got)
	}
	if *stack.Node().Id() != "Stack" {
		t.Error("the kernel is of no use after an error")
	}
}

func TestAMissingRequiredFieldIsNamed(t *testing.T) {
	_, stack := newStack(t)
	got := failure(t, func() {
		awsdynamodb.NewTable(stack, jsii.String("T"), &awsdynamodb.TableProps{PartitionKey: &awsdynamodb.Attribute{Type: awsdynamodb.AttributeType_STRING}})
	})
	if !strings.Contains(got, "props.partitionKey.name is required") {
		t.Errorf("got %s", got)
	}
}

type ownAspect struct{}

func (ownAspect) Visit(constructs.IConstruct) {}

func TestAnInterfaceImplementedInGoIsRefusedByName(t *testing.T) {
	_, stack := newStack(t)
	got := failure(t, func() { awscdk.Aspects_Of(stack).Add(&ownAspect{}, nil) })
	if !strings.Contains(got, ".add: argument 1: *runtime_test.ownAspect is not an object of the kernel; implementing or overriding") {
		t.Errorf("got %s", got)
	}
}

type ownConstruct struct{ constructs.Construct }

func TestAnOverriddenClassIsRefusedByName(t *testing.T) {
	_, stack := newStack(t)
	got := failure(t, func() { constructs.NewConstruct_Override(&ownConstruct{}, stack, jsii.String("Own")) })
	if !strings.Contains(got, "Create constructs.Construct: *runtime_test.ownConstruct is not the generated proxy") {
		t.Errorf("got %s", got)
	}
}

func TestACallOfAnUnknownMethodOrClassIsRefusedByName(t *testing.T) {
	_, stack := newStack(t)
	for want, call := range map[string]func(){
		".noSuchMethod":              func() { runtime.InvokeVoid(stack, "noSuchMethod", nil) },
		".noSuchProperty":            func() { var x any; runtime.Get(stack, "noSuchProperty", &x) },
		"Create no.Such":             func() { runtime.Create("no.Such", nil, &struct{}{}) },
		"StaticInvoke no.Such.thing": func() { runtime.StaticInvokeVoid("no.Such", "thing", nil) },
		"StaticSet no.Such.thing":    func() { runtime.StaticSet("no.Such", "thing", 1) },
		"is not an object":           func() { runtime.Set(&struct{ x int }{}, "id", 1) },
	} {
		if got := failure(t, call); !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestAfterCloseANewKernelStarts(t *testing.T) {
	newStack(t)
	jsii.Close()
	jsii.Close()
	_, stack := newStack(t)
	if *stack.StackName() != "Stack" {
		t.Error("the new kernel does not answer")
	}
}

func TestTheAppWritesItsTemplate(t *testing.T) {
	app, stack := newStack(t)
	awscdk.NewCfnOutput(stack, jsii.String("Out"), &awscdk.CfnOutputProps{Value: jsii.String("v")})
	assembly := app.Synth(nil)
	text, err := os.ReadFile(*assembly.Directory() + "/Stack.template.json")
	if err != nil || !strings.Contains(string(text), `"Value": "v"`) {
		t.Errorf("%v: %s", err, text)
	}
}
