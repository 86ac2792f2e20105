-- A prediction says whether its policy answered or the trees stood in for it, what each part of the model gave, and
-- what the network was shown.

ALTER TABLE predictions
  -- what was recorded before there were networks was answered by the policy that it names
  ADD COLUMN score_source text NOT NULL DEFAULT 'model' CHECK (score_source IN ('model', 'heuristic', 'fallback')),
  ADD COLUMN fallback jsonb CHECK (jsonb_typeof(fallback) = 'object'),
  ADD COLUMN parts jsonb CHECK (jsonb_typeof(parts) = 'object'),
  -- little-endian float32, rows x tokens x channels; NaN = missing
  ADD COLUMN sequences bytea CHECK (octet_length(sequences) % 4 = 0),
  ADD CONSTRAINT predictions_fallback_told CHECK ((score_source = 'fallback') = (fallback IS NOT NULL));

ALTER TABLE predictions ALTER COLUMN score_source DROP DEFAULT;
