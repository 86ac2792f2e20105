// Open Inference Protocol v2: health, metadata and inference. What clients really read is in the comments.

import type { LoadedModel } from '../load/index.ts';
import { checkExpiry, checkHandshake, isRefusal, type Refusal, refuse } from '../route/index.ts';
import { type Handler, type HttpRequest, ok, refusalResponse } from './exchange.ts';
import { decodeInfer, encodeInfer, headerLengthName, inputName, outputName } from './oipCodec.ts';
import { notReady, type Service } from './service.ts';

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

/** `GET /v2/models/:model[/versions/:version]` */
export const modelMetadata = (service: Service): Handler =>
  withModel(service, (model) => {
    const { manifest } = model;
    return ok({
      name: manifest.model_name,
      versions: [manifest.model_version],
      platform: 'onnx_onnxv1',
      inputs: [{ name: inputName, datatype: 'FP64', shape: [-1, manifest.feature_schema.length] }],
      outputs: [{ name: outputName, datatype: 'FP64', shape: [-1, 1] }],
      parameters: {
        ...identity(model),
        data_version: manifest.data_version,
        policies_allowed: manifest.policies_allowed.join(','),
        symbols: manifest.symbols.join(','),
        feature_names: manifest.feature_schema.map(({ name }) => name).join(','),
        nullable_features: manifest.feature_schema
          .filter(({ nullable }) => nullable)
          .map(({ name }) => name)
          .join(','),
        input_datatypes: 'FP32,FP64',
        input_precision: 'values are rounded to float32, as in training',
      },
    });
  });

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
      columns: manifest.feature_schema,
      maxRows: service.limits.maxRows,
    });
    if (isRefusal(decoded)) return refusalResponse(decoded);
    const { id, parameters, rows, features, binaryOutput } = decoded;
    const mismatch = checkHandshake(manifest, parameters);
    if (mismatch !== undefined) return refusalResponse(mismatch);
    const answer = await service.predict(model, {
      features,
      rows,
      policy: parameters.policy,
      symbols: null,
      times: null,
      arrivedMs: request.arrivedMs,
      explain: false,
    });
    if (isRefusal(answer)) return refusalResponse(answer);
    service.metrics.predicted(answer.policy, rows);
    const head = {
      model_name: manifest.model_name,
      model_version: manifest.model_version,
      id: id ?? answer.predictionId,
      parameters: {
        policy: answer.policy,
        ...identity(model),
        lineage_id: answer.lineageId,
        prediction_id: answer.predictionId,
      },
    };
    return encodeInfer(head, answer.scores, binaryOutput);
  });

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
