// Open Inference Protocol v2: health, metadata and inference. What clients really read is in the comments.

import type { LoadedModel } from '../load/index.ts';
import {
  type Answer,
  checkExpiry,
  checkHandshake,
  isRefusal,
  type ModelInput,
  modelInputs,
  type Refusal,
  refuse,
} from '../route/index.ts';
import { type Handler, type HttpRequest, ok, refusalResponse } from './exchange.ts';
import {
  decodeInfer,
  encodeInfer,
  headerLengthName,
  type OutputRequest,
  type OutputTensor,
} from './oipCodec.ts';
import { countAnswer, notReady, type Service } from './service.ts';

/** `GET /v2` */
export const serverMetadata =
  (version: string): Handler =>
  () =>
    ok({ name: 'sluice', version, extensions: ['binary_tensor_data'] });

/** `GET /v2/health/live`; KServe's client reads `ready` of this one too, Triton's only the status. */
export const live =
  (service: Service): Handler =>
  () =>
    ok({ live: true, ready: service.phase() === 'ready' });

/** `GET /v2/health/ready` */
export const ready =
  (service: Service): Handler =>
  () => {
    const model = service.model();
    if (model === undefined || service.phase() !== 'ready') {
      return refusalResponse(notReady(service.phase()));
    }
    const expired = checkExpiry(model, service.clock());
    if (expired !== undefined) return refusalResponse(expired);
    return ok({ live: true, ready: true, artifact_digest: model.digest, key_hint: model.keyHint });
  };

/** `GET /v2/models`, as KServe answers it. */
export const modelList =
  (service: Service): Handler =>
  () => {
    const model = service.model();
    return ok({ models: model === undefined ? [] : [model.manifest.model_name] });
  };

/** What clients send best: features are computed in FP64 as often as not, windows are many numbers. */
const preferredType: Readonly<Record<ModelInput['name'], string>> = {
  features: 'FP64',
  sequence: 'FP32',
};

/** `GET /v2/models/:model[/versions/:version]` */
export const modelMetadata = (service: Service): Handler =>
  withModel(service, (model) => {
    const { manifest, network } = model;
    const inputs = modelInputs(model);
    const columns = manifest.feature_schema;
    const nullable = columns.filter((column) => column.nullable);
    const optional = inputs.filter(({ required }) => !required);
    return ok({
      name: manifest.model_name,
      versions: [manifest.model_version],
      platform: 'onnx_onnxv1',
      inputs: inputs.map(({ name, dims }) => ({
        name,
        datatype: preferredType[name],
        shape: [-1, ...dims],
      })),
      outputs: outputNames(model).map((name) => ({ name, datatype: 'FP64', shape: [-1, 1] })),
      parameters: {
        ...identity(model),
        data_version: manifest.data_version,
        policies_allowed: manifest.policies_allowed.join(','),
        symbols: manifest.symbols.join(','),
        feature_names: listed(columns),
        nullable_features: listed(nullable),
        input_datatypes: 'FP32,FP64',
        input_precision: 'values are rounded to float32, as in training',
        ...(network === null
          ? {}
          : { channel_names: network.channels.join(','), optional_inputs: listed(optional) }),
      },
    });
  });

const listed = (items: readonly { readonly name: string }[]): string =>
  items.map(({ name }) => name).join(',');

/** Names of the outputs, each [rows, 1]: the policy's score, and what trees and network gave to it. */
const outputNames = ({ trees, network }: LoadedModel): readonly string[] =>
  network === null ? ['score'] : ['score', ...(trees === null ? [] : ['tabular']), 'nn'];

/** `GET /v2/models/:model[/versions/:version]/ready` */
export const modelReady = (service: Service): Handler =>
  withModel(service, (model) =>
    service.phase() === 'ready'
      ? ok({ name: model.manifest.model_name, ready: true })
      : refusalResponse(notReady(service.phase())),
  );

/** `POST /v2/models/:model[/versions/:version]/infer` */
export const infer = (service: Service): Handler =>
  withModel(service, async (model, request) => {
    const { manifest } = model;
    const headerLength = request.headers[headerLengthName] as string | undefined;
    const decoded = decodeInfer(request.body, headerLength, {
      inputs: modelInputs(model),
      outputs: outputNames(model),
      maxRows: service.limits.maxRows,
    });
    if (isRefusal(decoded)) return refusalResponse(decoded);
    const { id, parameters, rows, inputs, outputs } = decoded;
    const mismatch = checkHandshake(manifest, parameters);
    if (mismatch !== undefined) return refusalResponse(mismatch);
    const answer = await service.predict(model, {
      features: inputs.get('features') ?? new Float32Array(0),
      sequences: inputs.get('sequence') ?? null,
      rows,
      policy: parameters.policy,
      symbols: null,
      times: null,
      arrivedMs: request.arrivedMs,
      explain: false,
    });
    if (isRefusal(answer)) return refusalResponse(answer);
    countAnswer(service, answer);
    const head = {
      model_name: manifest.model_name,
      model_version: manifest.model_version,
      id: id ?? answer.predictionId,
      parameters: {
        policy: answer.policy,
        score_source: answer.scoreSource,
        ...fallbackParameters(answer),
        ...identity(model),
        lineage_id: answer.lineageId,
        prediction_id: answer.predictionId,
      },
    };
    return encodeInfer(head, answered(answer, outputs));
  });

/** The protocol's parameters are flat. */
const fallbackParameters = ({ fallback }: Answer) =>
  fallback === null
    ? undefined
    : { fallback_from: fallback.from, fallback_reason: fallback.reason };

/** The outputs that there are: where the network had no say, neither part is told apart from the score. */
function answered({ scores, parts }: Answer, asked: readonly OutputRequest[]): OutputTensor[] {
  const all: Readonly<Record<string, Float64Array | null>> = { score: scores, ...parts };
  return asked.flatMap((output) => {
    const found = all[output.name] ?? null;
    return found === null ? [] : [{ ...output, scores: found }];
  });
}

const identity = ({ manifest, digest, keyHint }: LoadedModel) => ({
  lineage_id: manifest.lineage_id,
  artifact_digest: digest,
  key_hint: keyHint,
  feature_payload_schema_version: manifest.feature_payload_schema_version,
  feature_version: manifest.feature_version,
});

type ModelHandler = (model: LoadedModel, request: HttpRequest) => ReturnType<Handler>;

/** Finds the model that the path names. */
function withModel(service: Service, handle: ModelHandler): Handler {
  return (request) => {
    const model = namedModel(service, request.params);
    return isRefusal(model) ? refusalResponse(model) : handle(model, request);
  };
}

function namedModel(
  service: Service,
  { model: name, version }: HttpRequest['params'],
): LoadedModel | Refusal {
  const model = service.model();
  if (model === undefined) return notReady(service.phase());
  const { model_name, model_version } = model.manifest;
  if (name === model_name && (version === undefined || version === model_version)) return model;
  const asked = version === undefined ? name : `${name} version ${version}`;
  return refuse(
    'unknown_model',
    `This server answers for ${model_name} version ${model_version}; asked for ${asked}.`,
  );
}
