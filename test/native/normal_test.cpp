#include "core/normal.h"

#include <algorithm>
#include <limits>

#include "check.hpp"

using namespace sklar;

// Constants to 20 digits, from series in 60-digit arithmetic at the exact value of each double.
namespace {

struct CdfValue {
  double x, cdf, log_cdf;
};
const CdfValue cdf_values[] = {
    {-37.5, 4.6053530095819548438e-308, -707.66898931750719107},
    {-37.0, 5.7255712225245768227e-300, -689.0305855768905936},
    {-36.5, 5.5447257130748445538e-292, -670.64200000031370137},
    {-36.0625, 4.3922377738327593509e-285, -654.75691266262113222},
    {-36.0, 4.1826240657972833317e-284, -652.50322759379839685},
    {-35.9375, 3.9674974970718163137e-283, -650.25344577475446575},
    {-35.0, 1.124910706472406244e-268, -616.97510126192251347},
    {-33.1, 1.4859285199642453705e-240, -552.22438247574443258},
    {-30.0, 4.9067139271481870595e-198, -454.32124395634319711},
    {-27.3, 2.1207986243198491043e-164, -376.87216252369197766},
    {-25.0, 3.0566967063825609164e-138, -316.63940800802025894},
    {-22.7, 2.2399774868270470109e-114, -261.68823478602840607},
    {-20.0, 2.7536241186062336951e-89, -203.91715537109726394},
    {-17.9, 5.8960959772630762017e-72, -164.01183626244783789},
    {-15.0, 3.6709661993127508858e-51, -116.13138484571169524},
    {-13.3, 1.1573416283690325942e-40, -91.957278044287962973},
    {-12.0, 1.7764821120776789977e-33, -75.410673001568795939},
    {-10.1, 2.7621094717645167894e-24, -54.246047542693631266},
    {-9.0, 1.1285884059538406477e-19, -43.628149113332115497},
    {-8.2, 1.2019351542735858152e-16, -36.657428601438663474},
    {-7.5, 3.1908916729108962278e-14, -31.075890902890001243},
    {-7.0, 1.2798125438858350044e-12, -27.384307498811075243},
    {-6.4, 7.7688475817098123319e-11, -23.278314185937172274},
    {-6.0, 9.865876450376981407e-10, -20.736768949974705655},
    {-5.6, 1.071759025831092932e-8, -18.351379495909332066},
    {-5.0, 2.8665157187919391167e-7, -15.064998393988725736},
    {-4.7, 1.3008074539172809281e-6, -13.552525367913070591},
    {-4.2, 1.3345749015906327883e-5, -11.224312649601074327},
    {-4.0, 3.1671241833119921254e-5, -10.360101486527290828},
    {-3.6, 1.5910859015753382532e-4, -8.7459236318873999189},
    {-3.1, 9.6760321321835660196e-4, -6.9406884584212281182},
    {-3.0, 1.3498980316300945267e-3, -6.6077262215103495433},
    {-2.7, 3.4669738030406666448e-3, -5.6644731683964433818},
    {-2.3, 0.010724110021675810424, -4.5352607992731540708},
    {-2.0, 0.0227501319481792072, -3.7831843336820319488},
    {-1.9, 0.028716559816001805229, -3.5502813255421345827},
    {-1.6, 0.054799291699557984109, -2.9040780103022459323},
    {-1.42, 0.077803840526546403953, -2.5535644849217311615},
    {-1.41, 0.079269841453392403031, -2.5348975322184283085},
    {-1.3, 0.096800484585610325542, -2.335103278662442499},
    {-1.0, 0.15865525393145705141, -1.8410216450092635058},
    {-0.9, 0.18406012534675948265, -1.6924928065613382014},
    {-0.7, 0.24196365222307302862, -1.4189677615315315793},
    {-0.5, 0.30853753872598689636, -1.1759117615936186089},
    {-0.31, 0.37828047817798072175, -0.97211935275087065014},
    {-0.2, 0.42074029056089697262, -0.86573952268159529799},
    {-0.1, 0.46017216272297101633, -0.77615459273027332557},
    {-0.03, 0.4880335265858873558, -0.71737117346860460915},
    {-0.001, 0.49960105778608893741, -0.69394538346696517879},
    {-1e-05, 0.49999601057719605216, -0.69315515943738436303},
    {-1e-09, 0.4999999996010577196, -0.69314718135782987054},
    {-1e-20, 0.5, -0.69314718055994530943},
    {0.0, 0.5, -0.69314718055994530942},
    {1e-20, 0.5, -0.69314718055994530941},
    {1e-09, 0.5000000003989422804, -0.69314717976206074893},
    {1e-05, 0.50000398942280394784, -0.69313920174616823305},
    {0.001, 0.50039894221391106259, -0.6923496142726882434},
    {0.03, 0.5119664734141126442, -0.66949613769970492985},
    {0.1, 0.53982783727702898367, -0.61650501011502628874},
    {0.21, 0.58316616348244230928, -0.53928311869093176544},
    {0.5, 0.69146246127401310364, -0.36894641528865639307},
    {0.6, 0.72574688224992641231, -0.32055397198751886665},
    {0.75, 0.77337264762313180067, -0.25699426683836523669},
    {1.0, 0.84134474606854294859, -0.17275377902344988953},
    {1.25, 0.89435022633314474231, -0.11165782847292517066},
    {1.5, 0.933192798731141934, -0.069143455612233982993},
    {2.0, 0.9772498680518207928, -0.023012909328963488465},
    {2.25, 0.98777552734495529685, -0.012299806091449408906},
    {3.0, 0.99865010196836990547, -1.3508099647481937988e-3},
    {3.3, 0.99951657585761622249, -4.8354102950671999735e-4},
    {4.0, 0.99996832875816688008, -3.167174337748926386e-5},
    {4.5, 0.99999660232687526994, -3.3976788968344661445e-6},
    {5.0, 0.99999971334842812081, -2.8665161296376359338e-7},
    {5.7, 0.99999999400962859894, -5.9903714190058030208e-9},
    {6.0, 0.99999999901341235496, -9.8658764552437573169e-10},
    {7.0, 0.99999999999872018746, -1.2798125438866539645e-12},
    {8.0, 0.9999999999999993779, -6.2209605742717860585e-16},
    {8.3, 0.99999999999999994794, -5.2055697448902541601e-17},
    {9.0, 0.99999999999999999989, -1.1285884059538406478e-19},
    {12.0, 1.0, -1.7764821120776789977e-33},
    {20.0, 1.0, -2.7536241186062336951e-89},
    {30.0, 1.0, -4.9067139271481870595e-198},
    {37.0, 1.0, -5.7255712225245768227e-300},
    {38.4, 1.0, -6.6015998543267680242e-323},
};

struct Pair {
  double at, value;
};
// beyond the underflow of the cdf
const Pair far_log_cdf_values[] = {
    {-38.0, -726.5572160188201301},        {-38.7, -753.42044471726992629},
    {-40.0, -804.60844201375378817},       {-50.0, -1.2548313611394199013e+3},
    {-75.5, -2.8553682465434883066e+3},    {-100.0, -5.0055242086942050886e+3},
    {-1000.0, -5.0000782669481218431e+5},  {-1000000.0, -5.0000000001473444909e+11},
    {-1e+100, -5.000000000000000159e+199},
};
const Pair quantile_values[] = {
    {5e-324, -38.467405617144346251},
    {1e-320, -38.269125343032651018},
    {2.2250738585072014e-308, -37.519379347144499821},
    {1e-300, -37.047096299361199237},
    {1e-250, -33.79958617269483747},
    {1e-200, -30.205594179579643063},
    {1e-150, -26.122961190593983509},
    {1e-100, -21.273453560965324294},
    {1e-60, -16.39727821271871048},
    {1e-40, -13.310921371425170895},
    {1e-30, -11.46402468844361572},
    {1e-20, -9.2623400897984075796},
    {1.4e-11, -6.6567230915181836356},
    {1.3e-11, -6.6676114565107408347},
    {1e-10, -6.3613409024040561991},
    {1e-08, -5.6120012441747887279},
    {1e-07, -5.19933758219281694},
    {1e-06, -4.7534243088228989573},
    {1e-05, -4.2648907939228246102},
    {0.0001, -3.7190164854556805523},
    {0.001, -3.0902323061678135354},
    {0.0025, -2.8070337683438041105},
    {0.01, -2.3263478740408410931},
    {0.02425, -1.9729610513118848376},
    {0.05, -1.644853626951472688},
    {0.07, -1.4757910281791706856},
    {0.0749999, -1.4395321773759005864},
    {0.075, -1.4395314709384559349},
    {0.0750001, -1.4395307645017296865},
    {0.1, -1.2815515655446004353},
    {0.15, -1.0364333894937896035},
    {0.2, -0.84162123357291416552},
    {0.25, -0.6744897501960817432},
    {0.3, -0.52440051270804081597},
    {0.4, -0.25334710313579974132},
    {0.45, -0.12566134685507400616},
    {0.49, -0.025068908258711058033},
    {0.4999, -2.5066283008800749239e-4},
    {0.499999999, -2.5066283428845326712e-9},
    {0.5, 0.0},
    {0.5000001, 2.5066282733116483012e-7},
    {0.51, 0.025068908258711058033},
    {0.6, 0.25334710313579974132},
    {0.7, 0.52440051270804065631},
    {0.8, 0.8416212335729143638},
    {0.9, 1.2815515655446005935},
    {0.92, 1.4050715603096328248},
    {0.925, 1.4395314709384562291},
    {0.92500001, 1.4395315415821679347},
    {0.93, 1.475791028179171099},
    {0.95, 1.6448536269514722843},
    {0.975, 1.9599639845400538556},
    {0.99, 2.3263478740408407676},
    {0.995, 2.5758293035489004539},
    {0.999, 3.0902323061678132778},
    {0.9999, 3.7190164854557083867},
    {0.999999, 4.7534243088170877657},
    {0.99999999, 5.6120012433055049826},
    {0.99999999999, 6.7060231434147472662},
    {0.9999999999999, 7.3487545403000425387},
    {0.9999999999999998, 8.1258906647019068585},
    {0.9999999999999999, 8.2095361516013868556},
};

constexpr double infinity = std::numeric_limits<double>::infinity();

double relative_error(double got, double expected) {
  return got == expected ? 0 : std::abs(got - expected) / std::abs(expected);
}

// Steps between two doubles of one sign.
long long distance(double a, double b) {
  long long i, j;
  std::memcpy(&i, &a, sizeof a);
  std::memcpy(&j, &b, sizeof b);
  return std::abs(i - j);
}

}  // namespace

TEST_CASE("normal_cdf against constants") {
  double worst = 0, at = 0;
  for (const CdfValue& v : cdf_values) {
    if (v.cdf < std::numeric_limits<double>::min()) continue;
    const double error = relative_error(normal_cdf(v.x), v.cdf);
    CHECK(error < 5e-16);
    if (error > worst) worst = error, at = v.x;
  }
  std::printf("      relative error of normal_cdf at most %.2g (x = %g)\n", worst, at);
  CHECK_EQUAL(normal_cdf(0), 0.5);
  CHECK_EQUAL(normal_cdf(-infinity), 0.0);
  CHECK_EQUAL(normal_cdf(infinity), 1.0);
  CHECK(std::isnan(normal_cdf(std::numeric_limits<double>::quiet_NaN())));
  // subnormal results: to the last place of a subnormal
  CHECK_NEAR(normal_cdf(-38), 2.8854283600686784e-316, 2e-323);
  CHECK_NEAR(normal_cdf(-38.4), 6.6015998543268e-323, 5e-324);
  CHECK_EQUAL(normal_cdf(-39), 0.0);
}

TEST_CASE("normal_cdf against the wider long double") {
  if (std::numeric_limits<long double>::digits < 64) return;
  double worst = 0, at = 0;
  for (double x = -37.4; x < 10; x += 0.000917) {
    const long double expected =
        erfcl(-static_cast<long double>(x) * 0.70710678118654752440084436210485L) / 2;
    const double error = static_cast<double>(fabsl(normal_cdf(x) - expected) / expected);
    if (error > worst) worst = error, at = x;
  }
  CHECK(worst < 5e-16);
  std::printf("      relative error of normal_cdf at most %.2g (x = %g)\n", worst, at);
}

TEST_CASE("log_normal_cdf against constants") {
  double worst = 0, at = 0;
  auto check_one = [&](double x, double expected) {
    const double error = relative_error(log_normal_cdf(x), expected);
    if (std::abs(expected) < std::numeric_limits<double>::min()) {
      CHECK_NEAR(log_normal_cdf(x), expected, 1e-323);
      return;
    }
    CHECK(error < 5e-16);
    if (error > worst) worst = error, at = x;
  };
  for (const CdfValue& v : cdf_values) check_one(v.x, v.log_cdf);
  for (const Pair& v : far_log_cdf_values) check_one(v.at, v.value);
  std::printf("      relative error of log_normal_cdf at most %.2g (x = %g)\n", worst, at);
  CHECK_EQUAL(log_normal_cdf(infinity), 0.0);
  CHECK_EQUAL(log_normal_cdf(-infinity), -infinity);
  CHECK(std::isnan(log_normal_cdf(std::numeric_limits<double>::quiet_NaN())));
}

TEST_CASE("normal_quantile against constants") {
  double worst = 0, at = 0;
  for (const Pair& v : quantile_values) {
    const double error = relative_error(normal_quantile(v.at), v.value);
    // a subnormal cdf carries fewer bits, so the last step finds less
    CHECK(error < (v.at < std::numeric_limits<double>::min() ? 1e-14 : 5e-16));
    if (v.at >= std::numeric_limits<double>::min() && error > worst) worst = error, at = v.at;
  }
  std::printf("      relative error of normal_quantile at most %.2g (p = %g)\n", worst, at);
}

TEST_CASE("normal_quantile at and outside the ends") {
  CHECK_EQUAL(normal_quantile(0), -infinity);
  CHECK_EQUAL(normal_quantile(-0.0), -infinity);
  CHECK_EQUAL(normal_quantile(1), infinity);
  CHECK_EQUAL(normal_quantile(0.5), 0.0);
  for (double p : {-1e-300, -0.5, std::nextafter(1.0, 2.0), 2.0, infinity, -infinity,
                   std::numeric_limits<double>::quiet_NaN()})
    CHECK(std::isnan(normal_quantile(p)));
}

TEST_CASE("cdf and quantile are symmetric") {
  for (double x = 0; x < 8.5; x += 0.00731) {
    CHECK_NEAR(normal_cdf(x) + normal_cdf(-x), 1, 3e-16);
    CHECK_NEAR(std::exp(log_normal_cdf(x)), normal_cdf(x), 3e-16);
  }
  for (int i = 1; i < 4096; ++i) {  // 1 - p is exact
    const double p = i / 8192.0;
    CHECK_EQUAL(normal_quantile(1 - p), -normal_quantile(p));
  }
}

// In the lower tail P carries all digits of x; in the upper one 1 - P does.
TEST_CASE("the quantile inverts the cdf") {
  double worst = 0;
  for (double x = -37.4; x < 0; x += 0.00517) {
    const double back = normal_quantile(normal_cdf(x));
    // one rounding of P moves x by eps P / phi
    const double conditioning = std::min(1.0, 1 / (1 + x * x)) * 1.5;
    const double error = std::abs(back - x) / (2.3e-16 * (conditioning + std::abs(x)));
    worst = std::max(worst, error);
  }
  CHECK(worst < 2.5);
  std::printf("      quantile(cdf(x)) off by at most %.2g units of rounding\n", worst);
  worst = 0;
  for (double log_p = -707; log_p < -0.7; log_p += 0.0931) {
    const double p = std::exp(log_p), x = normal_quantile(p);
    // one rounding of x moves log P by eps x phi / P
    const double error = relative_error(normal_cdf(x), p) / (2.3e-16 * (1 + x * x));
    worst = std::max(worst, error);
  }
  CHECK(worst < 2);
  std::printf("      cdf(quantile(p)) off by at most %.2g units of rounding\n", worst);
}

TEST_CASE("cdf and quantile do not decrease, across the joins of their branches too") {
  auto check_increasing = [](auto&& f, double from, double to, double step, long long slack) {
    double before = f(from);
    for (double x = from + step; x < to; x += step) {
      const double now = f(x);
      CHECK(now >= before || distance(now, before) <= slack);
      before = now;
    }
  };
  check_increasing([](double x) { return normal_cdf(x); }, -38, 9, 0.0123, 0);
  check_increasing([](double x) { return log_normal_cdf(x); }, -60, 9, 0.0123, 0);
  check_increasing([](double p) { return normal_quantile(p); }, 0.0005, 0.9995, 1e-5, 0);
  // joins: 1/sqrt(2) and -sqrt(2) of the cdf, -36 of its log, 0.075 and exp(-25) of the quantile
  for (double x : {-1.4142135623730951, -1.0, 0.0, 0.70710678118654757}) {
    const double below = normal_cdf(std::nextafter(x, -40.0)), above = normal_cdf(std::nextafter(x, 40.0));
    CHECK_NEAR(below, above, 1e-15);
  }
  CHECK(distance(log_normal_cdf(-36), log_normal_cdf(std::nextafter(-36.0, 0.0))) <= 4);  // slope 36
  CHECK(distance(log_normal_cdf(0), log_normal_cdf(5e-324)) <= 2);
  for (double p : {0.075, 0.925, 1.3887943864964021e-11})
    for (int i = 0; i < 100; ++i) {
      const double up = std::nextafter(p, 1.0);
      CHECK(distance(normal_quantile(p), normal_quantile(up)) <= 6);  // slope 1 / phi
      p = up;
    }
}
