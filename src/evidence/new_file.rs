//! A file that is there whole, or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file that gets its name when it is complete. Until then it has another name in the same folder; dropped before,
/// it leaves nothing behind.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    temporary: PathBuf,
    file: BufWriter<File>,
    is_in_place: bool,
}

const BUFFER: usize = 1 << 18;

impl NewFile {
    /// Begins the file `path`, which replaces what has that name. `mode` is for its permissions, where they are not
    /// to be the user's usual ones.
    ///
    /// # Errors
    ///
    /// The folder does not exist, or may not be written to.
    pub fn create(path: &Path, mode: Option<u32>) -> io::Result<Self> {
        let temporary = temporary_name(path);
        // Left by a run that was killed. A link in its place is removed, not followed.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        if let Some(mode) = mode {
            // When it is made: a process that is locked may not change permissions.
            options.mode(mode);
        }
        let file = BufWriter::with_capacity(BUFFER, options.open(&temporary)?);
        Ok(Self { path: path.to_owned(), temporary, file, is_in_place: false })
    }

    /// Brings everything to the disk and gives the file its name.
    ///
    /// # Errors
    ///
    /// The disk is full or fails; then nothing is left behind.
    pub fn put_in_place(mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        fs::rename(&self.temporary, &self.path)?;
        self.is_in_place = true;
        // The name is on the disk once the folder is.
        File::open(folder_of(&self.path))?.sync_all()
    }
}

impl Write for NewFile {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.file.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_in_place {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// What a file is called before it is complete.
pub(super) fn temporary_name(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}{TEMPORARY}"))
}

/// How the names of incomplete files end.
pub(super) const TEMPORARY: &str = ".part";

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_has_its_name_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "old").unwrap();
        let mut new = NewFile::create(&path, Some(0o640)).unwrap();
        new.write_all(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        new.put_in_place().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn what_is_not_finished_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut new = NewFile::create(&path, None).unwrap();
        new.write_all(b"new").unwrap();
        assert_eq!(names(folder.path()), [".a.part"]);
        drop(new);
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }

    #[test]
    fn a_link_in_place_of_the_incomplete_file_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a"), folder.path().join("other"));
        fs::write(&other, "kept").unwrap();
        std::os::unix::fs::symlink(&other, temporary_name(&path)).unwrap();
        let mut new = NewFile::create(&path, None).unwrap();
        new.write_all(b"new").unwrap();
        new.put_in_place().unwrap();
        assert_eq!(
            (fs::read(&other).unwrap(), fs::read(&path).unwrap()),
            (b"kept".to_vec(), b"new".to_vec())
        );
    }
}
