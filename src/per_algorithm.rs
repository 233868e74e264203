//! One of a thing for each algorithm, found without a search or a lock.

use smart_mining_core::Algorithm;

#[derive(Debug)]
pub struct PerAlgorithm<T>([T; Algorithm::ALL.len()]);

impl<T> PerAlgorithm<T> {
    pub fn new(make: impl FnMut(Algorithm) -> T) -> Self {
        Self(Algorithm::ALL.map(make))
    }

    pub fn of(&self, algorithm: Algorithm) -> &T {
        // `ALL` lists them in the order of their declaration.
        &self.0[algorithm as usize]
    }

    pub fn iter(&self) -> impl Iterator<Item = (Algorithm, &T)> {
        Algorithm::ALL.into_iter().zip(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_algorithm_finds_its_own() {
        let names = PerAlgorithm::new(Algorithm::name);
        for algorithm in Algorithm::ALL {
            assert_eq!(*names.of(algorithm), algorithm.name());
        }
        assert!(
            names
                .iter()
                .all(|(algorithm, name)| *name == algorithm.name())
        );
    }
}
