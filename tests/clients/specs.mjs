// The documents of the HTTP doors and of the streams, for the tests: `node specs.mjs doc/openapi.yaml doc/asyncapi.yaml`.
// Checks both against the official schemas of OpenAPI and AsyncAPI, reads a list of {schema, value} from its input, where
// `schema` is "openapi" or "asyncapi" and a JSON pointer into that document, and prints, as JSON, both documents and what is wrong
// with them and with each value.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(`${process.cwd()}/`); // where the packages are
const Ajv = require('ajv');
const Ajv2020 = require('ajv/dist/2020');
const addFormats = require('ajv-formats');
const YAML = require('yaml');
const { Validator } = await import(require.resolve('@seriousme/openapi-schema-validator'));
const load = (path) => YAML.parse(readFileSync(path, 'utf8'));
const wrong = (errors) => (errors ?? []).map((error) => `${error.instancePath}: ${error.message} ${JSON.stringify(error.params)}`);

const documents = { openapi: load(process.argv[2]), asyncapi: load(process.argv[3]) };
const { valid, errors } = await new Validator().validate(structuredClone(documents.openapi));
const asyncapi = new Ajv.default({ strict: false, meta: false, validateSchema: false });
addFormats.default(asyncapi);
const check = asyncapi.compile(require('@asyncapi/specs/schemas/3.0.0.json'));
check(documents.asyncapi);

// $ref and JSON pointers are followed by Ajv itself: each document is one schema with an id.
const values = new Ajv2020.default({ strict: false, validateFormats: false });
for (const [name, document] of Object.entries(documents)) values.addSchema({ $id: `http://zcast.test/${name}`, ...document });
const asked = JSON.parse(readFileSync(0, 'utf8'));
const found = asked.map(({ schema, value }) => {
  const [name, pointer] = schema.split('#');
  const validate = values.compile({ $ref: `http://zcast.test/${name}#${pointer}` });
  return validate(value) ? [] : wrong(validate.errors);
});
const openapiErrors = valid ? [] : Array.isArray(errors) ? wrong(errors) : [String(errors)];
console.log(JSON.stringify({ documents, openapi: openapiErrors, asyncapi: wrong(check.errors), values: found }));
