-- The contract has one more name.
ALTER DOMAIN algorithm DROP CONSTRAINT algorithm_check;
ALTER DOMAIN algorithm ADD CHECK (VALUE IN
    ('sha256d', 'scrypt', 'etchash', 'kawpow', 'randomx', 'kheavyhash', 'equihash', 'x16r'));
