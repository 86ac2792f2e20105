// What the manifests of Jobs are held to: the schema of what they use, and the command line that they start.

import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { z } from 'zod';
import { projectPath } from '../../core/index.ts';

/** The command line takes these options and values: what follows is asked for help only. */
export function expectParses(args: readonly string[]): void {
  const script = projectPath('sluice.ts');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args, '--help'], {
    encoding: 'utf8',
  });
  expect(status, stderr).to.equal(0);
  for (const option of args.filter((arg) => arg.startsWith('--')))
    expect(stdout).to.include(option);
  const unknown = spawnSync(process.execPath, [script, ...args, '--no-such-option'], {
    encoding: 'utf8',
  });
  expect(unknown.stderr).to.include('--no-such-option');
}

const quantity = z.union([z.string().regex(/^\d+(\.\d+)?(m|Ki|Mi|Gi)?$/), z.int()]);
const labels = z.record(z.string(), z.string());
/** A variable of the environment that comes from a secret. */
const secretVariable = z.strictObject({
  name: z.string().regex(/^[A-Z_]+$/),
  valueFrom: z.strictObject({
    secretKeyRef: z.strictObject({ name: z.string(), key: z.string() }),
  }),
});

/** The part of batch/v1 Job that is used; an unknown key is a misspelt one. */
export const jobSchema = z.strictObject({
  apiVersion: z.literal('batch/v1'),
  kind: z.literal('Job'),
  metadata: z.strictObject({
    name: z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/),
    labels,
  }),
  spec: z.strictObject({
    backoffLimit: z.int().min(0).optional(),
    completionMode: z.literal('Indexed').optional(),
    completions: z.int().positive().optional(),
    parallelism: z.int().positive().optional(),
    backoffLimitPerIndex: z.int().min(0).optional(), // Indexed only
    activeDeadlineSeconds: z.int().positive(),
    ttlSecondsAfterFinished: z.int().positive(),
    podFailurePolicy: z.strictObject({
      rules: z.array(
        z.strictObject({
          action: z.enum(['FailJob', 'Ignore', 'Count']),
          onPodConditions: z.array(z.strictObject({ type: z.string() })).optional(),
          onExitCodes: z
            .strictObject({
              containerName: z.string(),
              operator: z.enum(['In', 'NotIn']),
              values: z.array(z.int()),
            })
            .optional(),
        }),
      ),
    }),
    template: z.strictObject({
      metadata: z.strictObject({ labels }),
      spec: z.strictObject({
        restartPolicy: z.literal('Never'), // what podFailurePolicy asks for
        automountServiceAccountToken: z.literal(false),
        terminationGracePeriodSeconds: z.int().positive(),
        securityContext: z.strictObject({
          runAsNonRoot: z.literal(true),
          runAsUser: z.int().positive(),
          runAsGroup: z.int().positive(),
          fsGroup: z.int().positive(),
          seccompProfile: z.strictObject({ type: z.literal('RuntimeDefault') }),
        }),
        tolerations: z
          .array(
            z.strictObject({ key: z.string(), operator: z.literal('Exists'), effect: z.string() }),
          )
          .optional(),
        containers: z
          .array(
            z.strictObject({
              name: z.string(),
              image: z.string(),
              command: z.array(z.string()).optional(),
              args: z.array(z.string()),
              env: z.array(secretVariable).optional(),
              resources: z.strictObject({
                requests: z.record(z.string(), quantity),
                limits: z.record(z.string(), quantity),
              }),
              securityContext: z.strictObject({
                allowPrivilegeEscalation: z.literal(false),
                readOnlyRootFilesystem: z.literal(true),
                capabilities: z.strictObject({ drop: z.tuple([z.literal('ALL')]) }),
              }),
              volumeMounts: z.array(
                z.strictObject({
                  name: z.string(),
                  mountPath: z.string().startsWith('/'),
                  readOnly: z.boolean().optional(),
                }),
              ),
            }),
          )
          .length(1),
        volumes: z.array(
          z.union([
            z.strictObject({
              name: z.string(),
              persistentVolumeClaim: z.strictObject({
                claimName: z.string(),
                readOnly: z.boolean().optional(),
              }),
            }),
            z.strictObject({ name: z.string(), emptyDir: z.strictObject({ sizeLimit: quantity }) }),
          ]),
        ),
      }),
    }),
  }),
});
