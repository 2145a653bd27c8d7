//! Writes the seeds of every target into its corpus, `corpus/`, beside what fuzzing found before.

use std::path::Path;
use std::{fs, io};

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, _) in certus_fuzz::TARGETS {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        for seed in certus_fuzz::seeds::of(target) {
            fs::write(folder.join(format!("seed-{}", seed.name)), seed.octets)?;
        }
    }
    Ok(())
}
