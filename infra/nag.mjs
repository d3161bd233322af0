// Runs cdk-nag's AwsSolutions pack over a template: node nag.mjs TEMPLATE. It prints {"findings": […]}; what the template
// suppresses, with its reason, in the metadata of a resource is not a finding. cdk-nag describes this use in its README,
// "Using on CloudFormation templates".
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { App, Aspects, LegacyStackSynthesizer, Stack } = require('aws-cdk-lib');
const { CfnInclude } = require('aws-cdk-lib/cloudformation-include');
const { AwsSolutionsChecks, NagMessageLevel } = require('cdk-nag');

const findings = [];
let checked = 0;
const collect = {
  onCompliance: () => { checked++; },
  onNonCompliance: ({ ruleId, ruleLevel, findingId, resource, ruleInfo }) => {
    findings.push({ rule: ruleId, level: ruleLevel === NagMessageLevel.ERROR ? 'error' : 'warning', finding: findingId, resource: resource.logicalId ? Stack.of(resource).resolve(resource.logicalId) : resource.node.path, text: ruleInfo });
  },
  onSuppressed: () => { checked++; },
  onSuppressedError: () => {},
  onError: ({ ruleId, resource, errorMessage }) => { findings.push({ rule: ruleId, level: 'error', resource: resource.node.path, text: errorMessage }); },
  onNotApplicable: () => {},
};

const app = new App({ analyticsReporting: false });
const stack = new Stack(app, 'nag', { synthesizer: new LegacyStackSynthesizer() }); // the template has the other one's parameter already
new CfnInclude(stack, 'Template', { templateFile: process.argv[2] });
Aspects.of(app).add(new AwsSolutionsChecks({ additionalLoggers: [collect], reports: false }));
app.synth();
console.log(JSON.stringify({ checked, findings }, null, 2));
