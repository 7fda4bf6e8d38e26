use super::*;
use crate::error::StoreError;

async fn stored(blobs: &Blobs, hash: &str) -> Vec<u8> {
    let (mut file, size) = blobs.read(hash).await.unwrap();
    let mut content = Vec::new();
    file.read_to_end(&mut content).await.unwrap();
    assert_eq!(content.len() as u64, size);
    content
}

#[tokio::test]
async fn a_content_is_found_by_its_hash() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(folder.path()).await.unwrap();
    let content: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
    let hash = blake3::hash(&content).to_hex().to_string();
    let blob = blobs.put(&mut content.as_slice(), 200_000, Some(&hash)).await.unwrap();
    assert_eq!((blob.size, &blob.hash), (200_000, &hash));
    assert_eq!(stored(&blobs, &hash).await, content);
    assert_eq!(blobs.put(&mut content.as_slice(), 200_000, None).await.unwrap(), blob, "twice is once");
}

#[tokio::test]
async fn what_is_refused_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(folder.path()).await.unwrap();
    let mut content: &[u8] = b"12345";
    assert!(matches!(blobs.put(&mut content, 4, None).await, Err(StoreError::TooLarge { limit: 4 })));
    let mut content: &[u8] = b"12345";
    let wrong = blobs.put(&mut content, 5, Some(&"0".repeat(64))).await;
    assert!(matches!(wrong, Err(StoreError::WrongContent { .. })), "{wrong:?}");
    let left = std::fs::read_dir(folder.path().join(UNFINISHED)).unwrap().count();
    let groups = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!((left, groups), (0, 1));
}

#[tokio::test]
async fn a_name_is_no_way_out_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(&folder.path().join("blobs")).await.unwrap();
    std::fs::write(folder.path().join("secret"), "s").unwrap();
    for name in ["../secret", "", "..", &format!("{}/../../secret", "0".repeat(53)), &"G".repeat(64)] {
        assert!(matches!(blobs.read(name).await, Err(StoreError::NotFound { .. })), "{name}");
    }
}
