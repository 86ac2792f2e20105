// What the check has found so far: one line for each thing that was looked at, kept after every one, because a machine that
// is lent may be taken back in the middle.

/** PASS, FAIL, or SKIP: it could not be looked at here, and why. */
export type Verdict = 'PASS' | 'FAIL' | 'SKIP';

/** One thing that was looked at. */
export interface Finding {
  readonly step: string;
  readonly name: string;
  readonly verdict: Verdict;
  readonly detail: string;
  readonly seconds: number;
}

/** What a look at something gives; throwing is a FAIL with the error's sentence. */
export interface Look {
  readonly verdict: Verdict;
  readonly detail: string;
}

/** Collects findings and figures. */
export interface Protocol {
  readonly findings: readonly Finding[];
  /** everything measured, by topic, as it goes into the file */
  readonly figures: Readonly<Record<string, unknown>>;
  say(line: string): void;
  look(step: string, name: string, at: () => Look | Promise<Look>): Promise<Verdict>;
  record(topic: string, figures: unknown): void;
}

export const pass = (detail: string): Look => ({ verdict: 'PASS', detail });
export const fail = (detail: string): Look => ({ verdict: 'FAIL', detail });
export const skip = (detail: string): Look => ({ verdict: 'SKIP', detail });
export const judge = (held: boolean, detail: string): Look => (held ? pass(detail) : fail(detail));

/** A protocol that says each finding as one line and calls `changed` after it. */
export function createProtocol(
  say: (line: string) => void,
  changed: (protocol: Protocol) => void,
): Protocol {
  const findings: Finding[] = [];
  const figures: Record<string, unknown> = {};
  const protocol: Protocol = {
    findings,
    figures,
    say,
    async look(step, name, at) {
      const begin = process.hrtime.bigint();
      const { verdict, detail } = await attempt(at);
      const seconds = Math.round(Number(process.hrtime.bigint() - begin) / 1e7) / 100;
      findings.push({ step, name, verdict, detail, seconds });
      say(`${verdict}  ${step}: ${name}: ${detail} (${seconds} s)`);
      changed(protocol);
      return verdict;
    },
    record(topic, values) {
      figures[topic] = values;
      changed(protocol);
    },
  };
  return protocol;
}

async function attempt(at: () => Look | Promise<Look>): Promise<Look> {
  try {
    return await at();
  } catch (error) {
    return fail((error as Error).message);
  }
}
