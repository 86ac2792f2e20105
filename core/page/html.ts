// One self-contained HTML page, readable without network or script: its frame, its style and its few parts.

import { renumberChartNames } from './chart.ts';

/**
 * A whole HTML document.
 * @param page title, heading and lead are text; body is markup: cards, sections
 */
export function renderPage(page: {
  readonly title: string;
  readonly heading: string;
  readonly lead: string;
  readonly body: string;
}): string {
  const { title, heading, lead, body } = page;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title><style>${style}</style></head>
<body><main><h1>${escapeHtml(heading)}</h1>
<p class="lead">${escapeHtml(lead)}</p>
${renumberChartNames(body)}
</main></body></html>
`;
}

/** Cards side by side. */
export const cards = (parts: readonly string[]): string =>
  `<div class="cards">${parts.join('')}</div>`;

/** One figure that matters, and whether it is as it should be. */
export const card = (title: string, value: string, tone: 'good' | 'warn'): string =>
  `<div class="card ${tone}"><span>${escapeHtml(title)}</span><b>${escapeHtml(value)}</b></div>`;

/** A titled part of a page. @param body markup */
export const section = (title: string, body: string): string =>
  `<section><h2>${escapeHtml(title)}</h2>${body}</section>`;

/** A table of texts; it scrolls where it is wider than the page. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: string, row: readonly string[]) =>
    row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('');
  const body = rows.map((row) => `<tr>${cells('td', row)}</tr>`).join('');
  return `<div class="scroll"><table><thead><tr>${cells('th', head)}</tr></thead><tbody>${body}</tbody></table></div>`;
}

/** Text that can be neither markup nor the end of an attribute. */
export function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return text.replace(/[&<>"]/g, (sign) => entities[sign]!);
}

const style = `
:root{color:#0f172a;background:#f8fafc;font:14px/1.5 system-ui,sans-serif}
main{max-width:1040px;margin:0 auto;padding:24px}
h1{margin:0 0 4px;font-size:26px}h2{font-size:18px;margin:0 0 12px}h3{font-size:14px;margin:16px 0 6px}
.lead{color:#475569;margin:0 0 16px}.note{color:#64748b;font-size:12px}
section{background:#fff;border:1px solid #e2e8f0;border-radius:8px;padding:18px;margin:16px 0}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(180px,1fr));gap:12px}
.card{background:#fff;border:1px solid #e2e8f0;border-left:5px solid;border-radius:8px;padding:10px 14px}
.card span{display:block;color:#64748b;font-size:12px}.card b{font-size:16px;overflow-wrap:anywhere}
.good{border-left-color:#059669}.warn{border-left-color:#d97706}
.reasons{color:#475569}.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(440px,1fr));gap:16px}.pair section{margin:0}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:12.5px;width:100%}
th,td{text-align:right;padding:4px 8px;border-bottom:1px solid #e2e8f0;white-space:nowrap}
th:first-child,td:first-child{text-align:left}th{color:#475569;font-weight:600;white-space:normal}td:last-child{white-space:normal}.text td:last-child,.text th:last-child{text-align:left}
svg{max-width:100%;height:auto}`;
