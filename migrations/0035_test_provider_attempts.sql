-- A payment of the `test` provider can be tried again by another method; each attempt has a key of its own.
ALTER TABLE test_provider_charges ADD COLUMN attempt TEXT NOT NULL DEFAULT '';
