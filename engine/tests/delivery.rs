//! Where a prepared decode can go: rows of the caller's memory, a picture, textures; on any thread, and without waiting.
#![allow(clippy::unwrap_used, unreachable_pub)]

#[cfg(feature = "gpu")]
mod texture;

use pollster::block_on;
use wavetile_engine::error::RequestError;
use wavetile_engine::{DecodeRequest, Decoder, Error, Image, Rect, TexelFormat};

fn gradient() -> Image {
    Image::open_file(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/gradient.jp2")).unwrap()
}

fn formats() -> [DecodeRequest; 3] {
    let odd = DecodeRequest::new().region(Rect::new(3, 5, 80, 64));
    [DecodeRequest::new(), odd.clone().format(TexelFormat::R16), odd.reduce(1).format(TexelFormat::Rgba16)]
}

/// Decodes into rows with gaps, whole and one byte too short, and as a picture; blocking and not.
fn deliver(decoder: &Decoder) {
    let image = gradient();
    for request in formats() {
        let (picture, whole) = decoder.render(&image, &request).unwrap();
        let prepared = decoder.prepare(&image, &request).unwrap();
        assert_eq!((prepared.size(), prepared.format()), (picture.size, request.format));
        let (row, rows) = (prepared.row_bytes(), picture.size.height as usize);
        assert_eq!(picture.bytes.len(), row * rows);
        for gap in [0, 1, 7, 256] {
            let stride = row + gap;
            // The last row may end with its texels.
            let mut bytes = vec![0xA5; stride * rows - gap];
            let report = prepared.decode_into(&mut bytes, stride).unwrap();
            assert_eq!(report, whole);
            for (number, line) in bytes.chunks(stride).enumerate() {
                assert!(line[..row] == picture.bytes[number * row..][..row], "row {number}, gap {gap}");
                assert!(line[row..].iter().all(|&byte| byte == 0xA5), "row {number}, gap {gap}");
            }
            let mut again = vec![0xA5; bytes.len()];
            assert_eq!(block_on(prepared.decode_into_async(&mut again, stride)).unwrap(), whole);
            assert!(again == bytes);
            let short = bytes.len() - 1;
            let refused = prepared.decode_into(&mut bytes[..short], stride).unwrap_err();
            assert!(matches!(refused, Error::Request(RequestError::BufferTooSmall { .. })), "{refused}");
        }
        let refused = prepared.decode_into(&mut vec![0; row * rows], row - 1).unwrap_err();
        assert!(matches!(refused, Error::Request(RequestError::BadStride { .. })), "{refused}");
        assert!(block_on(prepared.read_async()).unwrap() == (picture, whole));
    }
    let (components, report) = decoder.components(&image, &DecodeRequest::new()).unwrap();
    let prepared = decoder.prepare_components(&image, &DecodeRequest::new()).unwrap();
    assert!(prepared.report().is_complete());
    assert!(block_on(prepared.read_async()).unwrap() == (components, report));
}

#[test]
fn on_the_cpu() {
    deliver(&Decoder::cpu());
}

#[cfg(feature = "gpu")]
mod gpu {
    use super::*;
    use std::sync::OnceLock;
    use std::sync::mpsc;
    use std::time::Duration;
    use wavetile_engine::error::DeviceError;
    use wavetile_engine::gpu::TextureTarget;
    use wavetile_engine::{Backend, Prepared, wgpu};

    #[track_caller]
    fn decoder() -> Option<Decoder> {
        static DECODER: OnceLock<Result<Decoder, String>> = OnceLock::new();
        let made = DECODER.get_or_init(|| match Decoder::new(Backend::Gpu) {
            Err(Error::Device(DeviceError::NoAdapter { reason })) => Err(reason),
            made => Ok(made.unwrap()),
        });
        made.clone().map_err(|reason| wavetile_testing::skip_adapter(reason)).ok()
    }

    #[test]
    fn on_the_gpu() {
        let Some(decoder) = decoder() else { return };
        deliver(&decoder);
    }

    #[test]
    fn a_texture_shows_what_a_picture_does_however_it_is_made() {
        let Some(decoder) = decoder() else { return };
        let (image, context) = (gradient(), decoder.gpu().unwrap());
        let request = DecodeRequest::new();
        let (picture, _) = decoder.render(&image, &request).unwrap();
        let prepared = decoder.prepare(&image, &request).unwrap();
        let (first, report) = prepared.texture().unwrap();
        assert_eq!(report.submissions, 1);
        let (second, _) = block_on(prepared.texture_async()).unwrap();
        for texture in [&first, &second] {
            assert!(texture::read(context, texture, 4) == picture.bytes);
        }
        // Recorded on another thread than it was prepared on.
        let atlas = context.device().create_texture(&wgpu::TextureDescriptor {
            label: None,
            size: first.size(),
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba8Unorm,
            usage: wgpu::TextureUsages::COPY_DST | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let mut encoder = context.device().create_command_encoder(&Default::default());
        let (encoder, report) = std::thread::scope(|scope| {
            let recorded = scope.spawn(|| {
                let report = prepared.record(&mut encoder, TextureTarget::new(&atlas)).unwrap();
                (encoder, report)
            });
            recorded.join().unwrap()
        });
        assert_eq!((report.submissions, report.dispatches > 0), (0, true));
        context.queue().submit([encoder.finish()]);
        assert!(texture::read(context, &atlas, 4) == picture.bytes);
    }

    #[test]
    fn a_decoder_for_the_cpu_has_no_textures() {
        let Some(decoder) = decoder() else { return };
        let device = decoder.gpu().unwrap().device();
        let (texture, _) = decoder.texture(&gradient(), &DecodeRequest::new()).unwrap();
        let on_cpu = Decoder::cpu().prepare(&gradient(), &DecodeRequest::new()).unwrap();
        let mut encoder = device.create_command_encoder(&Default::default());
        let refused = on_cpu.record(&mut encoder, TextureTarget::new(&texture)).unwrap_err();
        assert_eq!(refused.code(), "device.no-adapter");
        assert!(on_cpu.texture().is_err());
    }

    /// A device that works on something long holds up who reads back, and nobody who records. Nothing is timed: whoever
    /// waited for the lock of the other would wait for ever.
    #[test]
    fn recording_does_not_wait_for_a_decode_that_reads_back() {
        let Some(decoder) = decoder() else { return };
        let image = gradient();
        let prepare = || decoder.prepare(&image, &DecodeRequest::new()).unwrap();
        let (slow, quick) = (prepare(), prepare());
        let context = decoder.gpu().unwrap();
        let (texture, _) = quick.texture().unwrap();
        std::thread::scope(|scope| {
            // The rows' memory is lent to a read-back that is polled once, and so is under way until it is dropped.
            let mut bytes = vec![0; slow.row_bytes() * slow.size().height as usize];
            let mut reading = Box::pin(slow.decode_into_async(&mut bytes, slow.row_bytes()));
            let mut task = std::task::Context::from_waker(std::task::Waker::noop());
            let _ = reading.as_mut().poll(&mut task);
            let (done, recorded) = mpsc::channel();
            let (quick, texture): (&Prepared, &wgpu::Texture) = (&quick, &texture);
            scope.spawn(move || {
                let mut encoder = context.device().create_command_encoder(&Default::default());
                quick.record(&mut encoder, TextureTarget::new(texture)).unwrap();
                done.send(encoder.finish()).unwrap();
            });
            let commands =
                recorded.recv_timeout(Duration::from_secs(60)).expect("it waits for the read-back");
            context.queue().submit([commands]);
            drop(reading);
        });
    }

    /// Decodes on several threads share buffers, and must not see each other's data.
    #[test]
    fn decodes_on_many_threads_do_not_meet() {
        let Some(decoder) = decoder() else { return };
        let image = gradient();
        let requests: Vec<DecodeRequest> =
            (0..4).map(|x| DecodeRequest::new().region(Rect::new(20 * x, 8 * x, 20 * x + 36, 64))).collect();
        let cpu = Decoder::cpu();
        std::thread::scope(|scope| {
            for request in &requests {
                let (image, cpu, decoder) = (&image, &cpu, &decoder);
                scope.spawn(move || {
                    let (wanted, _) = cpu.render(image, request).unwrap();
                    for _ in 0..25 {
                        let (got, _) = decoder.render(image, request).unwrap();
                        assert!(got == wanted, "{request:?}");
                        let (texture, _) = decoder.texture(image, request).unwrap();
                        assert!(
                            texture::read(decoder.gpu().unwrap(), &texture, 4) == wanted.bytes,
                            "{request:?}"
                        );
                    }
                });
            }
        });
    }

    /// A host that reads back many decodes at once has one thread more, not many.
    #[test]
    fn many_who_wait_share_one_thread() {
        let Some(decoder) = decoder() else { return };
        let image = gradient();
        let (wanted, _) = decoder.render(&image, &DecodeRequest::new()).unwrap();
        let prepared: Vec<Prepared> =
            (0..40).map(|_| decoder.prepare(&image, &DecodeRequest::new()).unwrap()).collect();
        let mut reading: Vec<_> = prepared.iter().map(|one| Box::pin(one.read_async())).collect();
        let mut task = std::task::Context::from_waker(std::task::Waker::noop());
        let mut found = Vec::new();
        for (index, one) in reading.iter_mut().enumerate() {
            if let std::task::Poll::Ready(read) = one.as_mut().poll(&mut task) {
                found.push((index, read));
            }
        }
        if let Ok(threads) = std::fs::read_dir("/proc/self/task") {
            let names = threads.filter_map(|one| std::fs::read_to_string(one.ok()?.path().join("comm")).ok());
            assert!(names.filter(|name| name.trim() == "wavetile-poll").count() <= 1);
        }
        let ready: Vec<usize> = found.iter().map(|(index, _)| *index).collect();
        let rest = reading.into_iter().enumerate().filter(|(index, _)| !ready.contains(index));
        found.extend(rest.map(|(index, one)| (index, block_on(one))));
        assert_eq!(found.len(), 40);
        assert!(found.into_iter().all(|(_, read)| read.unwrap().0 == wanted));
    }

    #[test]
    fn memory_that_was_given_up_is_taken_anew() {
        let Some(decoder) = decoder() else { return };
        let image = gradient();
        let before = decoder.render(&image, &DecodeRequest::new()).unwrap();
        decoder.release_memory();
        assert!(decoder.render(&image, &DecodeRequest::new()).unwrap() == before);
        assert!(decoder.clone().render(&image, &DecodeRequest::new()).unwrap() == before);
    }
}
